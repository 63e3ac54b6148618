/** A command that was started with other settings than the gateway: it says so, and does nothing. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { loadConfig } from '../../../shared/process/config/config.ts';
import { runCommand } from '../../support/processes/command.ts';
import { startGateway } from '../../support/processes/gateway.ts';
import { until } from '../../support/until.ts';
import { ringText } from '../../unit/keys/rings.ts';

const folder = mkdtempSync(join(tmpdir(), 'gateway-other-peppers-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const COMMANDS: readonly ['audit' | 'job' | 'tenants', ...string[]][] = [
  ['audit', 'verify'],
  ['audit', 'list'],
  ['tenants', 'list'],
  ['tenants', 'create', 'Acme'],
  ['tenants', 'keys', 'issue', 'ten_01m828mxt1fr081gqvaaqfex75', '--name', 'dead'],
  ['job', 'job_0'],
];

test('with the peppers of another gateway no command reads, writes or judges anything', {
  timeout: 90_000,
}, async () => {
  const [older, newer] = [ringText('p1'), ringText('p2')];
  const gateway = await startGateway({ env: { KEY_PEPPERS: older } });
  try {
    const other = join(folder, 'other');
    loadConfig({ HOME: folder, DATA_DIR: other });
    const REDIS_URL = gateway.redis.url;
    const before = await until('the rows are sealed', async () => {
      const { code, stdout } = await runCommand('audit', ['verify', '--json'], { REDIS_URL, KEY_PEPPERS: older });
      return code === 0 && /"unsealed_rows":0/.test(stdout) && stdout;
    });
    const wrong = [{ DATA_DIR: other }, { KEY_PEPPERS: newer }, { KEY_PEPPERS: `${newer},${older}` }];
    for (const [name, ...args] of COMMANDS) {
      const runs = await Promise.all(wrong.map((settings) => runCommand(name, args, { REDIS_URL, ...settings })));
      for (const run of runs) {
        expect(run, args.join(' ')).toEqual({
          code: 1,
          stdout: '',
          stderr: expect.stringMatching(/^The peppers here are not those .*Set KEY_PEPPERS .*set DATA_DIR/),
        });
      }
    }
    expect(await runCommand('audit', ['verify', '--json'], { REDIS_URL, KEY_PEPPERS: older })).toMatchObject({
      code: 0,
      stdout: before,
    });

    // In a rotation: at each step a command with the gateway's own settings works.
    for (const KEY_PEPPERS of [`${older},${newer}`, `${newer},${older}`, newer]) {
      await gateway.addApi({ KEY_PEPPERS });
      expect(await runCommand('tenants', ['list'], { REDIS_URL, KEY_PEPPERS })).toMatchObject({ code: 0 });
    }
    expect(await runCommand('tenants', ['list'], { REDIS_URL, KEY_PEPPERS: older })).toMatchObject({ code: 1 });
  } finally {
    await gateway.stop();
  }
});

test('on a folder without a gateway no command makes keys, and each says what to set', async () => {
  const DATA_DIR = join(folder, 'empty');
  for (const [name, ...args] of COMMANDS) {
    const urls = ['', 'redis://127.0.0.1:1'];
    for (const run of await Promise.all(urls.map((REDIS_URL) => runCommand(name, args, { DATA_DIR, REDIS_URL })))) {
      expect(run, args.join(' ')).toEqual({
        code: 1,
        stdout: '',
        stderr: expect.stringMatching(/KEY_PEPPERS is not set, and .*empty\/peppers is not there.*start the gateway/),
      });
    }
  }
  expect(existsSync(DATA_DIR)).toBe(false);
  // What the gateway made is found, and nothing is added to it.
  loadConfig({ HOME: folder, DATA_DIR });
  const made = readdirSync(DATA_DIR);
  const { stderr } = await runCommand('tenants', ['list'], { DATA_DIR });
  expect(stderr).toMatch(/^No gateway in sandbox mode runs here/);
  expect(readdirSync(DATA_DIR)).toEqual(made);
});
