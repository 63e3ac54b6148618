/** The table of variables against the configuration, and `.env.example` and Compose against the table. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { ConfigError } from '../../../shared/domain/wording/config-error.ts';
import { loadConfig } from '../../../shared/process/config/config.ts';
import { VARIABLE_NAMES } from '../../../shared/process/config/variables.ts';
import { firstCells, read, tableOf } from '../../support/documents.ts';

const dataDir = mkdtempSync(join(tmpdir(), 'gateway-documents-'));
afterAll(() => rmSync(dataDir, { recursive: true, force: true }));
/** A configuration without its keys, which are drawn once for this test. */
const load = (environment: Record<string, string>) => {
  const {
    peppers: _peppers,
    keyEncryption: _keyEncryption,
    ...config
  } = loadConfig({ HOME: dataDir, ...environment, DATA_DIR: dataDir });
  return config;
};

const SANDBOX_PROCESS = ['SANDBOX_DELAY_MS', 'SANDBOX_HOST', 'SANDBOX_PORT'];
const AWS_CREDENTIALS = [
  'AWS_ACCESS_KEY_ID',
  'AWS_BEARER_TOKEN_BEDROCK',
  'AWS_PROFILE',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
];
const rows = tableOf('variable', 'default', 'meaning');
const defaults = rows.flatMap(([name = '', value = '']) => (value === '' ? [] : [[name, value] as const]));

test('every variable is listed, and no other but the sandbox process’s and the AWS SDK’s', () => {
  expect(firstCells(rows)).toEqual([...VARIABLE_NAMES, ...SANDBOX_PROCESS, ...AWS_CREDENTIALS].toSorted());
});

test('the listed defaults are the defaults', () => {
  const given = defaults.filter(([name]) => VARIABLE_NAMES.includes(name));
  expect(given.length).toBeGreaterThan(10);
  expect(load(Object.fromEntries(given))).toEqual(load({}));
  const sandbox = read('sandbox/main.ts');
  for (const name of SANDBOX_PROCESS) {
    expect(sandbox).toContain(`${name} ?? '${new Map(defaults).get(name) ?? 'not listed'}'`);
  }
});

const ranges = rows.flatMap(([name = '', , meaning = '']) => {
  const [, from, to] = /\(([\d,]+)–([\d,]+)[;)]/.exec(meaning) ?? [];
  return from && to ? [{ name, from: Number(from.replaceAll(',', '')), to: Number(to.replaceAll(',', '')) }] : [];
});
test.each(ranges)('$name goes from $from to $to and no further', ({ name, from, to }) => {
  for (const value of [from, to]) load({ [name]: String(value) });
  for (const value of [from - 1, to + 1]) expect(() => load({ [name]: String(value) })).toThrow(ConfigError);
});
test('every whole number has its range', () => {
  // What takes a number and no word is a whole number.
  const takes = (name: string, value: string): boolean => {
    try {
      return Boolean(load({ [name]: value }));
    } catch {
      return false;
    }
  };
  const numbers = defaults.filter(([name, value]) => /^\d+$/.test(value) && !takes(name, 'word'));
  expect(ranges.map(({ name }) => name)).toEqual(numbers.map(([name]) => name));
});

const example = [...read('.env.example').matchAll(/^#?([A-Z][A-Z_]*)=(.*)$/gm)].map(
  ([, name = '', value = '']) => [name, value] as const,
);
test('.env.example holds the same variables; credentials of AWS in words', () => {
  const elsewhere = ['ALIVE_FILE', 'EXIT_WITH_PARENT', 'SANDBOX_HOST', 'SANDBOX_PORT', ...AWS_CREDENTIALS];
  const expected = firstCells(rows).filter((name) => !elsewhere.includes(name));
  expect(
    example
      .map(([name]) => name)
      .filter((name) => !AWS_CREDENTIALS.includes(name))
      .toSorted(),
  ).toEqual(expected);
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) expect(read('.env.example')).toContain(name);
});
test('.env.example shows the defaults', () => {
  expect(load(Object.fromEntries(example))).toEqual(load({}));
  for (const [name, value] of example)
    if (value !== '' && name !== 'HOST') expect(defaults).toContainEqual([name, value]);
});

test('Compose hands every variable on that a container may be given', () => {
  const fixed = ['HOST', 'DATA_DIR', 'EXIT_WITH_PARENT', 'AWS_PROFILE'];
  const compose = read('docker-compose.yml');
  for (const [name = ''] of rows) if (!fixed.includes(name)) expect(compose).toMatch(new RegExp(`\\b${name}\\b`));
});

test('Compose gives each process the time that its stop may take', () => {
  const { http, drainMs } = loadConfig({ HOME: dataDir, DATA_DIR: dataDir });
  const grace = (name: string): number => {
    const [, service = ''] =
      new RegExp(`\\n  ${name}:\\n([\\s\\S]*?)(?=\\n  \\w+:\\n|\\n\\w)`).exec(read('docker-compose.yml')) ?? [];
    return Number(/stop_grace_period: (\d+)s/.exec(service)?.[1]);
  };
  // In production the API is not ready for 5 s before it stops.
  expect({ unreadyMs: http.unreadyMs, api: grace('api'), worker: grace('worker') }).toEqual({
    unreadyMs: 0,
    api: 5 + drainMs / 1_000 + 15,
    worker: drainMs / 1_000 + 15,
  });
});
