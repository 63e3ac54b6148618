import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const KEY = 'sk-proj-4dZq8Xw2Lk9TbN3v';

test('a command that fails for no known reason says where, and nothing of what the error holds', () => {
  const script = `
    import { Command } from 'commander';
    import { runCommand } from './cli/command/run-command.ts';
    const error = Object.assign(new TypeError(process.env.KEY), { command: { args: [process.env.KEY] } });
    await runCommand(new Command().exitOverride().action(() => { throw error; }));`;
  const cwd = join(import.meta.dirname, '..', '..', '..');
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
    cwd,
    env: { PATH: process.env.PATH, KEY },
    encoding: 'utf8',
  });
  expect([status, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(/^Something went wrong in the command itself: TypeError\n( {2}at .+:\d+:\d+\n)+$/);
  for (let at = 0; at + 6 <= KEY.length; at++) expect(stderr).not.toContain(KEY.slice(at, at + 6));
});
