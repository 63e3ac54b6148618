/**
 * A client that was generated from an earlier release’s document compiles, and understands this
 * release’s answers.
 */
import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import type { Document } from '../../api/operations/openapi/form.ts';
import { type AnswerToCheck, createAnswerCheck } from '../support/clients/openapi.ts';
import { KEYS, startGateway } from '../support/processes/gateway.ts';

const ROOT = join(import.meta.dirname, '../..');
const PROJECT = join(import.meta.dirname, 'client');
const ANSWERS = join(import.meta.dirname, 'answers');
const run = promisify(execFile);

const releases = readdirSync(ANSWERS, { withFileTypes: true }).filter((each) => each.isDirectory());

describe.each(releases)('of release $name', { timeout: 60_000 }, ({ name }) => {
  const text = gunzipSync(readFileSync(join(ANSWERS, name, 'openapi.json.gz'))).toString();
  mkdirSync(join(ROOT, '.data'), { recursive: true });
  // Inside of the project, where its packages are found.
  const folder = mkdtempSync(join(ROOT, '.data', 'client-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  for (const file of ['calls.ts', 'tsconfig.json', 'package.json'])
    copyFileSync(join(PROJECT, file), join(folder, file));
  writeFileSync(join(folder, 'openapi.json'), text);
  /** A script of the client’s project; answers what it printed, and why it failed. */
  const script = async (name: 'generate' | 'types' | 'calls', ...args: string[]): Promise<string> => {
    const path = `${join(PROJECT, 'node_modules', '.bin')}:${process.env.PATH}`;
    const ended = run('npm', ['run', '--silent', name, '--', ...args], {
      cwd: folder,
      env: { ...process.env, PATH: path },
    });
    return ended.then(
      ({ stdout }) => stdout,
      ({ stdout, stderr }: { stdout: string; stderr: string }) => `failed: ${stdout}${stderr}`,
    );
  };

  test('it is generated, and the calls of the README compile against it', async () => {
    expect(await script('generate')).not.toMatch(/^failed/);
    expect(await script('types')).toBe('');
  });

  test('its calls are answered as its types say', async () => {
    const gateway = await startGateway();
    try {
      const printed = await script('calls', gateway.apis[0]?.url ?? '', KEYS.acme);
      expect(printed).not.toMatch(/^failed/);
      const check = createAnswerCheck(JSON.parse(text) as Document, { isOpen: true });
      const answers = printed
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as AnswerToCheck & { call: string; headers: Record<string, string> });
      expect(new Set(answers.map(({ call }) => call)).size).toBe(6);
      for (const { call, status, headers, body } of answers)
        expect(check(call, { status, headers: new Headers(headers), body })).toBeNull();
    } finally {
      await gateway.stop();
    }
  });
});
