import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..', '..');
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };

const CHECKS_FIRST = /^node dev\/require-node\.js && /;
/** These start tools that say themselves which Node they need, or none of ours. */
const TOOLS = ['check', 'types', 'unused'];

test('every command of package.json that starts our own code checks Node before anything else', () => {
  const unchecked = Object.keys(scripts).filter((name) => !CHECKS_FIRST.test(scripts[name] ?? ''));
  expect(unchecked.toSorted()).toEqual(TOOLS);
  for (const name of TOOLS) expect(scripts[name]).not.toMatch(/\.ts\b|vitest|stryker/);
});

const OLD_NODE = '/usr/bin/node';
const isOld = existsSync(OLD_NODE) && Number((await run(OLD_NODE, ['--version'])).stdout.slice(1, 3)) < 24;

test.skipIf(!isOld).each(['start:api', 'tenants', 'batch', 'bench'])(
  'under an older Node, the first thing that `npm run %s` says is which one it needs',
  async (name) => {
    const env = { PATH: '/usr/bin:/bin', HOME: root };
    const failure = (await run('/bin/sh', ['-c', scripts[name] ?? ''], { cwd: root, env }).catch(
      (error: unknown) => error,
    )) as { code: number; stderr: string };
    expect(failure.code).toBe(1);
    expect(failure.stderr).toMatch(/^The gateway needs Node 24 or newer; this is v\d+/);
  },
);
