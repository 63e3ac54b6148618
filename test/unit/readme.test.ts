/** The README's tables against the code: what it says is what is there. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { ROUTES } from '../../api/access/route.ts';
import { FAILURES, parseDirectives } from '../../sandbox/directives.ts';
import { AUDIT_KINDS } from '../../shared/domain/audit/audit-row.ts';
import { JOB_ERRORS, REQUEST_ERRORS } from '../../shared/domain/errors.ts';
import { JOB_STATUSES, WAIT_REASONS } from '../../shared/domain/job.ts';
import { ATTEMPT_OUTCOMES } from '../../shared/domain/outcome.ts';
import { SCOPES } from '../../shared/domain/tenant.ts';
import { DELIVERY_CODES, DELIVERY_REASONS } from '../../shared/domain/webhooks/delivery.ts';
import { ConfigError } from '../../shared/domain/wording/config-error.ts';
import { loadConfig, VARIABLE_NAMES } from '../../shared/process/config/config.ts';

const root = join(import.meta.dirname, '..', '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const README = read('README.md');

type Row = readonly string[];

/** A table line's cells, without the code marks around a whole cell. */
const cellsOf = (line: string): Row =>
  line
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim().replace(/^`([^`]*)`$/, '$1'));

/** The rows of the first table whose header is this. */
const tableOf = (...header: string[]): Row[] => {
  const lines = README.split('\n').map(cellsOf);
  const start = lines.findIndex((cells) => cells.join('|') === header.join('|'));
  if (start < 0) throw new Error(`the README has no table ${header.join(', ')}`);
  const length = lines.slice(start).findIndex((cells) => cells.length === 0);
  return lines.slice(start + 2, start + length);
};

const firstCells = (rows: readonly Row[]): string[] => rows.map(([first = '']) => first).toSorted();

test.each<[string, Row[], readonly string[]]>([
  ['job status', tableOf('status', 'meaning'), JOB_STATUSES],
  ['wait reason', tableOf('wait reason', 'meaning'), WAIT_REASONS],
  ['attempt outcome', tableOf('attempt outcome', 'meaning'), ATTEMPT_OUTCOMES],
  ['scope', tableOf('scope', 'what it allows'), SCOPES],
  ['attempt code', tableOf('attempt code', 'meaning'), DELIVERY_CODES],
  ['delivery reason', tableOf('delivery reason', 'meaning'), DELIVERY_REASONS],
  ['kind of row', tableOf('kind of row', 'what is written'), AUDIT_KINDS],
])('every %s is explained, and no other', (_, rows, names) => {
  expect(firstCells(rows)).toEqual(names.toSorted());
});

test('every call is listed, and no other', () => {
  const listed = [...tableOf('call', 'what it does', 'answers'), ...tableOf('admin call', 'what it does', 'answers')];
  const known = Object.entries(ROUTES).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`),
  );
  expect(firstCells(listed)).toEqual(known.toSorted());
});

test('every request error is listed with its status, in the order of the statuses, and no other', () => {
  const rows = tableOf('status', 'code', 'meaning');
  const known = Object.entries(REQUEST_ERRORS).map(([code, { status }]) => `${status} ${code}`);
  expect(rows.map(([status, code]) => `${status} ${code}`).toSorted()).toEqual(known.toSorted());
  const statuses = rows.map(([status = '']) => status);
  expect(statuses).toEqual(statuses.toSorted());
});

test('every job error is listed with whether it may be submitted again, and no other', () => {
  const listed = tableOf('code', 'retryable', 'meaning').map(([code, retryable]) => `${code} ${retryable}`);
  const known = Object.entries(JOB_ERRORS).map(([code, { retryable }]) => `${code} ${retryable ? 'yes' : 'no'}`);
  expect(listed.toSorted()).toEqual(known.toSorted());
});

describe('configuration', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'gateway-readme-'));
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
});

test('Compose gives each process the time that its stop may take', () => {
  const { http, drainMs } = loadConfig({ DATA_DIR: mkdtempSync(join(tmpdir(), 'gateway-compose-')) });
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

test('the three curl lines stand there as they were promised', () => {
  const headers = '-H "Content-Type: application/json" -H "X-API-Key: your-platform-key"';
  for (const line of [
    `curl -X POST localhost:4000/v1/complete ${headers} -d '{"messages":[{"role":"user","content":"Hello!"}]}'`,
    `curl -X POST localhost:4000/v1/complete ${headers} -H "X-User-API-Key: sk-user-openai-key" -H "X-User-Provider: openai" -d '{"model":"gpt-4o","messages":[{"role":"user","content":"Hello!"}]}'`,
    'curl localhost:4000/v1/usage -H "X-API-Key: your-platform-key"',
  ]) {
    expect(README.split('\n')).toContain(line);
  }
});

test('the steering of the sandbox is what the sandbox understands', () => {
  const pairs = firstCells(tableOf('pair', 'effect'));
  for (const pair of pairs) expect(parseDirectives(`sandbox:${pair}`), pair).not.toEqual({});
  const failures = pairs.flatMap((pair) => /^fail=(.+)$/.exec(pair)?.[1] ?? []);
  expect(failures).toEqual(FAILURES.toSorted());
});

test('every npm script that it names exists', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const named = [...README.matchAll(/\bp?npm (?:run ([\w:-]+)|(start|test))/g)].map(([, run, own]) => run ?? own);
  expect(named.length).toBeGreaterThan(5);
  for (const name of named) expect(Object.keys(scripts)).toContain(name);
});

test.each(['README.md', 'SECURITY.md'])('every link of %s leads somewhere', (page) => {
  const slugsOf = (text: string): string[] =>
    [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replace(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    );
  for (const [, path = '', anchor] of read(page).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)) {
    if (path !== '') expect(existsSync(join(root, path)), path).toBe(true);
    if (anchor !== undefined) expect(slugsOf(read(path || page))).toContain(anchor);
  }
});

test('it stands alone: no place outside this repository, no machine’s own path', () => {
  for (const text of [README, read('SECURITY.md'), read('CHANGELOG.md'), read('.env.example')]) {
    expect(text).not.toMatch(/\.\.\/|\/(?:work|home|root|tmp)\//);
  }
});
