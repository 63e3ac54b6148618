/** The clients of OpenAI and Anthropic for Python, if they are installed (python/README.md). */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { hello, helloAfter } from './stage/answers.ts';
import type { TestUser } from './stage/stage.ts';
import { useStage } from './stage/use-stage.ts';

const OWN = join(import.meta.dirname, '../../.data/python/bin/python');
const PYTHON = existsSync(OWN) ? OWN : 'python3';
const QUICK = join(import.meta.dirname, 'python/quick.py');
const canRun = spawnSync(PYTHON, ['-c', 'import anthropic, openai']).status === 0;
if (!canRun)
  console.log('The clients for Python are not installed: skipped; test/clients/python/README.md says how to get them.');

const run = async (user: TestUser, name: string): Promise<unknown> => {
  const { stdout } = await promisify(execFile)(PYTHON, [QUICK, name], {
    env: {
      PATH: process.env.PATH,
      GATEWAY_URL: user.url,
      PLATFORM_KEY: user.platformKey,
      OPENAI_KEY: user.openaiKey,
      ANTHROPIC_KEY: user.anthropicKey,
    },
  });
  return JSON.parse(stdout);
};

describe.skipIf(!canRun)('python', () => {
  const stage = useStage({ MAX_WAIT_SECONDS: '1' });

  describe.concurrent.each(['openai', 'anthropic'])('%s', (client) => {
    test.each([
      ['an answer', '', hello],
      ['an answer after redirects', '', helloAfter(2_500)],
      ['an answer that a retry finds', '-impatient', helloAfter(2_000)],
    ])('python: %s is that of one job and one call', async (_, kind, answers) => {
      const user = await stage.user();
      user.answers(answers);
      const came = await run(user, `${client}${kind}`);
      const [job, ...others] = await user.jobs();
      expect(came).toEqual({ text: 'Hello.', job: job?.id });
      expect(others).toEqual([]);
      expect(user.calls()).toHaveLength(1);
    });

    test('python: a platform key that is none is an AuthenticationError', async () => {
      const user = await stage.user();
      expect(await run(user, `${client}-wrong-key`)).toEqual({
        error: 'AuthenticationError',
        status: 401,
        code: 'invalid_api_key',
      });
      expect(user.exchanges).toHaveLength(1);
    });
  });
});
