import { spawn } from 'node:child_process';
import { createHash, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PROVIDERS, perProvider, urlVariable } from '../../../providers/catalogue.ts';
import { ConfigError } from '../../../shared/domain/wording/config-error.ts';
import { type Config, detectSandbox, type Environment, loadConfig } from '../../../shared/process/config/config.ts';
import { VARIABLE_NAMES } from '../../../shared/process/config/variables.ts';
import { listen } from '../../support/network/listen.ts';
import { startProcess } from '../../support/processes/process.ts';

const random32 = (seed: number): string => createHash('sha256').update(`test ${seed}`).digest('base64');
const PRODUCTION = {
  NODE_ENV: 'production',
  KEY_PEPPERS: `p1:${random32(3)}`,
  KEY_ENCRYPTION_KEYS: `k1:${random32(5)}`,
  REDIS_URL: 'rediss://:q7Vf2mXw9Lc4Tz@redis.internal',
  TRUSTED_PROXIES: '10.0.0.0/8',
} as const;

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gateway-config-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Outside production, with a home and a data folder of this test's own. */
const local = (more: Environment = {}): Environment => ({ HOME: folder, DATA_DIR: join(folder, 'data'), ...more });

const refusal = (environment: Environment): string => {
  try {
    loadConfig(environment);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message;
  }
  throw new Error('the configuration was taken');
};

/** The sentences of a refusal, in order. */
const problemsOf = (environment: Environment): string[] => refusal(environment).split('\n  - ').slice(1);

test('nothing set is a configuration: the sandbox on this machine, with the demo key', () => {
  const config = loadConfig(local());
  expect(config).toMatchObject({
    production: false,
    sandbox: true,
    http: { host: '127.0.0.1', port: 4000, maxBodyBytes: 33_554_432 },
    redis: { url: 'redis://127.0.0.1:6379', shards: 1 },
    providers: {
      urls: {
        openai: 'http://127.0.0.1:4010/openai/v1',
        anthropic: 'http://127.0.0.1:4010/anthropic',
        bedrock: 'http://127.0.0.1:4010/bedrock',
        gemini: 'http://127.0.0.1:4010/gemini/v1beta/openai',
        mistral: 'http://127.0.0.1:4010/mistral/v1',
        groq: 'http://127.0.0.1:4010/groq/openai/v1',
      },
      bedrockAuth: { kind: 'access_key', accessKeyId: 'sandbox' },
    },
  });
  expect(config.platformKeys.map(({ tenant, key }) => [tenant, key.reveal()])).toEqual([['demo', 'your-platform-key']]);
});

test('an empty value counts as unset, for every variable', () => {
  const empty = Object.fromEntries(VARIABLE_NAMES.map((name) => [name, '']));
  const shown = (environment: Environment) => inspect(loadConfig(environment), { depth: 9 });
  const refused = { OPENAI_BASE_URL: '', OPENAI_LOG: '', DEBUG: '' };
  expect(shown({ ...empty, ...refused, ...PRODUCTION })).toBe(shown(PRODUCTION));
  expect(detectSandbox({ ...empty, AWS_PROFILE: '', HOME: folder })).toBe(true);
});

describe('a wrong value is explained with what is allowed', () => {
  const seconds = 'must be a whole number from 1 to 86,400, in digits only.';
  test.each([
    ['PORT', 'http', 'must be a whole number from 0 to 65,535, in digits only.'],
    ['PORT', '65536', 'must be a whole number from 0 to 65,535, in digits only.'],
    ['PORT', ' ', 'must be a whole number from 0 to 65,535, in digits only.'],
    ['SHARDS', '0', 'must be a whole number from 1 to 64, in digits only.'],
    ['WORKER_CONCURRENCY', '1.5', 'must be a whole number from 1 to 10,000, in digits only.'],
    ['WORKER_CONCURRENCY', '1e3', 'must be a whole number from 1 to 10,000, in digits only.'],
    ['JOB_DEADLINE_SECONDS', '-1', seconds],
    ['JOB_DEADLINE_SECONDS', '0x10', seconds],
    ['JOB_DEADLINE_SECONDS', 'true', seconds],
    ['JOB_DEADLINE_SECONDS', '9'.repeat(400), seconds],
    ['NODE_ENV', 'Production', 'must be development, test or production.'],
    ['SANDBOX', 'maybe', 'must be true or false.'],
    ['EXIT_WITH_PARENT', 'maybe', 'must be true or false.'],
    ['LOG_LEVEL', 'loud', 'must be debug, info, warn, error or silent.'],
    ['AWS_REGION', 'us_east', 'must be a region such as us-east-1.'],
    ['BEDROCK_MODEL_ID', 'nova lite', 'must be the name of a model, such as amazon.nova-lite-v1:0.'],
    ['BEDROCK_MODELS', 'a,*', 'must be names of models separated by commas, or * for all.'],
    ['BEDROCK_MODELS', 'a,,b', 'must be names of models separated by commas, or * for all.'],
    ['SANDBOX_URL', 'ftp://host', 'must be an http:// or https:// URL without user, query and fragment.'],
    ['PROVIDER_OPENAI_URL', 'api.openai.com', 'must be an http:// or https:// URL without user, query and fragment.'],
    [
      'PROVIDER_BEDROCK_URL',
      'https://a:b@host',
      'must be an http:// or https:// URL without user, query and fragment.',
    ],
  ])('%s=%s', (name, value, sentence) => {
    expect(problemsOf(local({ [name]: value }))).toEqual([`${name}: ${sentence}`]);
  });
});

test.each<[Environment, readonly string[] | null]>([
  [local(), null],
  [PRODUCTION, ['amazon.nova-lite-v1:0']],
  [{ ...PRODUCTION, BEDROCK_MODEL_ID: 'm' }, ['m']],
  [{ ...PRODUCTION, BEDROCK_MODEL_ID: 'm', BEDROCK_MODELS: 'a, b' }, ['m', 'a', 'b']],
  [{ ...PRODUCTION, BEDROCK_MODELS: '*' }, null],
])('the platform’s account runs no model in production that was not named: %#', (environment, models) => {
  expect(loadConfig({ ...environment, HOME: folder, DATA_DIR: folder }).platformModels).toEqual(models);
});

describe('a number is refused outside its limits, by a sentence that names it, both limits and what to write:', () => {
  /** Every other variable must be a number, so that a new one is tried here or is put here on purpose. */
  const NO_NUMBERS = new Set([
    ...['NODE_ENV', 'HOST', 'REDIS_URL', 'REDIS_ALLOW_INSECURE', 'EPHEMERAL_REDIS_URL', 'DATA_DIR', 'ALIVE_FILE'],
    ...['SANDBOX', 'SANDBOX_URL', 'PLATFORM_API_KEYS', 'ADMIN_TOKEN', 'TRUSTED_PROXIES', 'KEY_PEPPERS', 'KMS_KEY_ID'],
    ...['KEY_ENCRYPTION_KEYS', 'KEY_ENCRYPTION_FILE', 'KMS_URL', 'KEY_SHREDDING', 'SEAL_BODIES', 'AWS_REGION'],
    ...PROVIDERS.map(urlVariable),
    ...['BEDROCK_MODEL_ID', 'PRICE_FILE', 'WEBHOOK_ALLOW_PRIVATE'],
    ...['BEDROCK_MODELS'],
    ...[
      'AUDIT_ANCHOR_FILE',
      'WEBHOOK_RETRY_SCHEDULE_SECONDS',
      'LOG_LEVEL',
      'OTEL_EXPORTER_OTLP_ENDPOINT',
      'EXIT_WITH_PARENT',
    ],
  ]);
  const numbers = VARIABLE_NAMES.filter((name) => !NO_NUMBERS.has(name));
  const SENTENCE =
    /^(?<name>[A-Z_]+): must be (?:a whole number from (?<from>[\d,]+) to (?<to>[\d,]+), in digits only|an amount from (?<least>0\.01) to (?<most>[\d,]+), such as 250 or 99\.50)\.$/;

  test.each(numbers)('%s', (name) => {
    const [sentence = ''] = problemsOf(local({ [name]: 'x' }));
    const said = SENTENCE.exec(sentence)?.groups ?? {};
    expect(said.name, sentence).toBe(name);
    const limit = (text = ''): number => Number(text.replaceAll(',', ''));
    const [from, to] = [limit(said.from ?? said.least), limit(said.to ?? said.most)];
    expect(from).toBeLessThan(to);

    const step = said.from ? 1 : 0.01;
    const outside = [from - step, to + step, to * 1_000, 10 ** 15, 2 ** 53, -1, -from].filter(
      (value) => value < from || value > to,
    );
    const wrong = [
      ...outside.map(String),
      '0.5',
      '1.001',
      '1.',
      '.5',
      '+1',
      '1e3',
      '0x10',
      '1,000',
      '1_000',
      ' 1',
      '١',
    ];
    const huge = [
      '9'.repeat(15),
      '9'.repeat(16),
      '9'.repeat(400),
      'Infinity',
      'NaN',
      '-0',
      'null',
      'true',
      'unlimited',
    ];
    for (const value of [...wrong, ...huge]) {
      if (said.least && value === '0.5') continue;
      expect(problemsOf(local({ [name]: value })), value).toEqual([sentence]);
    }
    for (const value of [from, to]) loadConfig(local({ [name]: String(value) }));
  });

  test('and so is each number of a schedule', () => {
    for (const wait of ['0', '-1', '1.5', '604801', '9'.repeat(16), '1e3', '', ' 5', 'x']) {
      for (const schedule of [wait, `5,${wait}`, `${wait},5`]) {
        if (schedule === '') continue;
        expect(problemsOf(local({ WEBHOOK_RETRY_SCHEDULE_SECONDS: schedule })), schedule).toEqual([
          'WEBHOOK_RETRY_SCHEDULE_SECONDS: must be 1 to 20 whole numbers from 1 to 604,800, separated by commas.',
        ]);
      }
    }
    expect(problemsOf(local({ WEBHOOK_RETRY_SCHEDULE_SECONDS: Array(21).fill('5').join(',') }))).toHaveLength(1);
    const { webhooks } = loadConfig(local({ WEBHOOK_RETRY_SCHEDULE_SECONDS: '1,604800' }));
    expect(webhooks.retryScheduleMs).toEqual([1_000, 604_800_000]);
  });
});

describe('REDIS_URL', () => {
  test.each([
    'redis://host',
    'redis://host:6379/',
    'redis://host:6379/15',
    'rediss://user:p%2Fss@host:6380',
    'redis://[::1]:6379',
  ])('takes %s', (url) => {
    expect(loadConfig(local({ REDIS_URL: url })).redis.url).toBe(url);
  });
  test.each([
    'localhost:6379',
    'http://host',
    'valkey://host',
    'unix:///run/redis.sock',
    'redis://',
    'redis:///0',
    'redis://host/name',
    'redis://host:port',
    // Not encoded, these would make the user's name the host.
    'redis://user:12/34@host',
    'redis://user:12?34@host',
    'redis://user:12#34@host',
  ])('refuses %s', (url) => {
    expect(problemsOf(local({ REDIS_URL: url }))).toEqual([
      expect.stringMatching(/^REDIS_URL: must be a URL such as /),
    ]);
  });
});

describe('in production REDIS_URL', () => {
  test.each(['redis://:q7Vf2mXw9Lc4Tz@redis.internal', 'redis://user:q7Vf2mXw9Lc4Tz@10.0.0.7'])(
    'is not %s, unless TLS is waived',
    (REDIS_URL) => {
      expect(problemsOf({ ...PRODUCTION, REDIS_URL })).toEqual([
        expect.stringMatching(/^REDIS_URL must be rediss:\/\/ in production.*REDIS_ALLOW_INSECURE=true waives TLS/),
      ]);
      expect(loadConfig({ ...PRODUCTION, REDIS_URL, REDIS_ALLOW_INSECURE: 'true' }).redis.url).toBe(REDIS_URL);
    },
  );
  test.each(['redis://redis.internal', 'rediss://redis.internal', 'rediss://user@h', 'redis://:@127.0.0.1'])(
    'is not %s: no waiver opens a Redis without a password',
    (REDIS_URL) => {
      expect(problemsOf({ ...PRODUCTION, REDIS_URL, REDIS_ALLOW_INSECURE: 'true' })).toEqual([
        expect.stringMatching(/^REDIS_URL must hold a password in production/),
      ]);
    },
  );
});

describe('KEY_SHREDDING', () => {
  const EPHEMERAL_REDIS_URL = 'rediss://:h8Kd3nYb6Rq1Pj@memory.internal';
  test('is off by itself; strict needs memory-only storage', () => {
    expect(loadConfig(local()).shredding).toEqual({ strict: false, ephemeralUrl: null });
    expect(loadConfig({ ...PRODUCTION, KEY_SHREDDING: 'strict', EPHEMERAL_REDIS_URL }).shredding).toEqual({
      strict: true,
      ephemeralUrl: EPHEMERAL_REDIS_URL,
    });
    expect(problemsOf(local({ KEY_SHREDDING: 'strict' }))).toEqual([
      'KEY_SHREDDING=strict needs EPHEMERAL_REDIS_URL: a Redis that keeps nothing but in its memory.',
    ]);
    expect(problemsOf(local({ KEY_SHREDDING: 'on' }))).toEqual(['KEY_SHREDDING: must be off or strict.']);
  });
  test('in production its storage is demanded to be as safe as the other', () => {
    expect(problemsOf({ ...PRODUCTION, EPHEMERAL_REDIS_URL: 'redis://memory.internal' })).toEqual([
      expect.stringMatching(/^EPHEMERAL_REDIS_URL must be rediss:\/\/ in production/),
      expect.stringMatching(/^EPHEMERAL_REDIS_URL must hold a password in production/),
    ]);
  });
});

describe('TRUSTED_PROXIES', () => {
  test('holds addresses and networks, and is empty by itself', () => {
    expect(loadConfig(local()).http.trustedProxies).toEqual([]);
    const networks = ['10.0.0.0/8', '192.0.2.7', 'fd00::/8', '::1'];
    expect(loadConfig(local({ TRUSTED_PROXIES: networks.join(', ') })).http.trustedProxies).toEqual(networks);
  });
  test.each(['10.0.0.0/33', '10.0.0', '10.0.0.0/', '0x0a.0.0.1', 'proxy.internal', '10.0.0.0/8,', 'fe80::1%eth0', '*'])(
    'does not take %s',
    (text) => {
      expect(problemsOf(local({ TRUSTED_PROXIES: text }))).toEqual([
        'TRUSTED_PROXIES: must be addresses and networks separated by commas, such as 10.0.0.0/8,fd00::/8,192.0.2.7.',
      ]);
    },
  );
});

describe('ADMIN_TOKEN', () => {
  const TOKEN = 'an-operators-token-0123456789abcdef';
  test('opens the admin interface, and is not set by itself', () => {
    expect(loadConfig(local()).adminToken).toBeNull();
    expect(loadConfig(local({ ADMIN_TOKEN: TOKEN })).adminToken?.reveal()).toBe(TOKEN);
  });
  test.each(['x'.repeat(31), `${TOKEN} x`, `${TOKEN}é`, 'x'.repeat(513)])('is not %s', (token) => {
    const problems = problemsOf(local({ ADMIN_TOKEN: token }));
    expect(problems).toEqual(['ADMIN_TOKEN: must have 32 to 512 printable ASCII characters without space.']);
  });
  test('is no platform key', () => {
    const problems = problemsOf(local({ ADMIN_TOKEN: TOKEN, PLATFORM_API_KEYS: `acme:${TOKEN}` }));
    expect(problems).toEqual([expect.stringMatching(/^ADMIN_TOKEN must not be one of PLATFORM_API_KEYS/)]);
  });
});

test('every problem is in one message, each on a line of its own', () => {
  const problems = problemsOf({
    NODE_ENV: 'production',
    PORT: 'http',
    SHARDS: '65',
    REDIS_URL: 'http://host',
    SANDBOX: 'true',
    PLATFORM_API_KEYS: 'acme:short',
    KEY_PEPPERS: 'p1:AAAA',
    OPENAI_BASE_URL: 'https://host',
    DEBUG: '*',
  });
  expect(problems.map((problem) => /^[A-Z_]+/.exec(problem)?.[0])).toEqual([
    'PORT',
    'REDIS_URL',
    'SHARDS',
    'OPENAI_BASE_URL',
    'DEBUG',
    'SANDBOX',
    'TRUSTED_PROXIES',
    'KEY_PEPPERS',
    'KEY_ENCRYPTION_KEYS',
    'PLATFORM_API_KEYS',
  ]);
  for (const problem of problems) expect(problem).toMatch(/\.$/);
});

describe('in production', () => {
  test('proxies, a Redis, peppers and encryption keys must be given, and nothing is generated', () => {
    expect(problemsOf({ NODE_ENV: 'production', DATA_DIR: folder })).toEqual([
      expect.stringMatching(/^TRUSTED_PROXIES is required in production: /),
      expect.stringMatching(/^REDIS_URL must be rediss:\/\/ in production: /),
      expect.stringMatching(/^REDIS_URL must hold a password in production/),
      expect.stringMatching(/^KEY_PEPPERS is required in production: .*openssl rand -base64 32/),
      expect.stringMatching(
        /^KEY_ENCRYPTION_KEYS, KEY_ENCRYPTION_FILE or KMS_KEY_ID is required in production: .*openssl rand -base64 32/,
      ),
    ]);
    expect(readdirSync(folder)).toEqual([]);
  });
  test('with them it listens on every address, without the sandbox and without the demo key', () => {
    expect(loadConfig(PRODUCTION)).toMatchObject({
      production: true,
      sandbox: false,
      http: { host: '0.0.0.0' },
      platformKeys: [],
      providers: { urls: perProvider(() => null), bedrockAuth: { kind: 'default_chain' } },
    });
  });
  test('the sandbox is refused', () => {
    expect(problemsOf({ ...PRODUCTION, SANDBOX: 'true' })).toEqual([
      'SANDBOX must not be on in production: its demo key is public.',
    ]);
  });
  test('keys that nobody drew at random are refused, and the documented platform key', () => {
    const sample = Buffer.alloc(32).toString('base64');
    const problems = problemsOf({
      ...PRODUCTION,
      KEY_PEPPERS: `p:${sample}`,
      KEY_ENCRYPTION_KEYS: `k:${Buffer.alloc(32, 7).toString('base64')}`,
      PLATFORM_API_KEYS: 'demo:your-platform-key',
    });
    expect(problems).toHaveLength(3);
    expect(problems.join(' ')).toMatch(
      /PLATFORM_API_KEYS.* sample.*KEY_PEPPERS.* guessed.*KEY_ENCRYPTION_KEYS.* guessed/,
    );
  });
  test.each(['OPENAI_LOG', 'ANTHROPIC_LOG', 'DEBUG', 'NODE_DEBUG'])('%s is refused, and only there', (name) => {
    expect(problemsOf({ ...PRODUCTION, [name]: 'x' })).toEqual([
      `${name} must not be set in production: it makes a library print requests.`,
    ]);
    loadConfig(local({ [name]: 'x' }));
  });
  test('certificates are checked', () => {
    expect(problemsOf({ ...PRODUCTION, NODE_TLS_REJECT_UNAUTHORIZED: '0' })).toEqual([
      expect.stringMatching(/^NODE_TLS_REJECT_UNAUTHORIZED=0 must not be set in production: .*NODE_EXTRA_CA_CERTS/),
    ]);
    loadConfig({ ...PRODUCTION, NODE_TLS_REJECT_UNAUTHORIZED: '1' });
  });
});

test.each([
  'OPENAI_BASE_URL',
  'OPENAI_ORG_ID',
  'OPENAI_PROJECT_ID',
  'OPENAI_CUSTOM_HEADERS',
  'ANTHROPIC_BASE_URL',
  'ANTHROPIC_CUSTOM_HEADERS',
  'ANTHROPIC_AUTH_TOKEN',
  'AWS_ENDPOINT_URL',
  'AWS_ENDPOINT_URL_BEDROCK_RUNTIME',
  'AWS_ENDPOINT_URL_KMS',
  'AWS_ENDPOINT_URL_STS',
  'AWS_ENDPOINT_URL_SSO_OIDC',
  'AWS_ENDPOINT_URL_OF_A_SERVICE_TO_COME',
])('%s, which an SDK would obey for every tenant, is refused everywhere', (name) => {
  expect(problemsOf(local({ [name]: 'x' }))).toEqual([expect.stringContaining(`${name} must not be set`)]);
  expect(problemsOf({ ...PRODUCTION, [name]: 'x' })).toEqual([expect.stringContaining(`${name} must not be set`)]);
});

test.each(['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'https_proxy', 'http_proxy', 'all_proxy'])(
  '%s, which no call obeys, is refused, and its password is not shown',
  (name) => {
    const problems = problemsOf({ ...PRODUCTION, [name]: 'http://user:hunter2@proxy:3128' });
    expect(problems).toEqual([expect.stringMatching(new RegExp(`^${name} must not be set.*through a proxy`))]);
    expect(problems.join()).not.toContain('hunter2');
    expect(() => loadConfig({ ...PRODUCTION, NO_PROXY: '*' })).not.toThrow();
  },
);

describe('the sandbox is', () => {
  const rows: [expected: boolean, why: string, environment: Environment][] = [
    [true, 'nothing is set', {}],
    [true, 'NODE_ENV is test', { NODE_ENV: 'test' }],
    [true, 'only a region is set', { AWS_REGION: 'eu-west-1' }],
    [true, 'a secret key stands alone', { AWS_SECRET_ACCESS_KEY: 'x' }],
    [true, 'SANDBOX says so, in spite of credentials', { SANDBOX: 'true', AWS_PROFILE: 'x', PROVIDER_OPENAI_URL: 'x' }],
    [false, 'SANDBOX says no', { SANDBOX: 'false' }],
    [false, 'SANDBOX cannot be read', { SANDBOX: 'maybe' }],
    [false, 'NODE_ENV is production', { NODE_ENV: 'production' }],
    [false, 'an OpenAI URL is set', { PROVIDER_OPENAI_URL: 'https://host/v1' }],
    [false, 'an Anthropic URL is set', { PROVIDER_ANTHROPIC_URL: 'https://host' }],
    [false, 'a Bedrock URL is set', { PROVIDER_BEDROCK_URL: 'https://host' }],
    [false, 'an access key is set', { AWS_ACCESS_KEY_ID: 'x' }],
    [false, 'a profile is named', { AWS_PROFILE: 'x' }],
    [false, 'a Bedrock API key is set', { AWS_BEARER_TOKEN_BEDROCK: 'x' }],
    [false, 'a web identity is set', { AWS_WEB_IDENTITY_TOKEN_FILE: 'x' }],
    [false, 'a container serves credentials', { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/x' }],
    [false, 'a pod serves credentials', { AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://x' }],
  ];
  test.each(rows)('%s: %s', (expected, _, environment) => {
    expect(detectSandbox({ HOME: folder, ...environment })).toBe(expected);
  });

  test.each(['credentials', 'config'])('false: the home holds ~/.aws/%s', (file) => {
    mkdirSync(join(folder, '.aws'));
    writeFileSync(join(folder, '.aws', file), '');
    expect(detectSandbox({ HOME: folder })).toBe(false);
    expect(detectSandbox({ HOME: join(folder, 'other') })).toBe(true);
  });
  test.each(['AWS_SHARED_CREDENTIALS_FILE', 'AWS_CONFIG_FILE'])('false: %s names a file that is there', (name) => {
    const path = join(folder, 'profile');
    expect(detectSandbox({ HOME: folder, [name]: path })).toBe(true);
    writeFileSync(path, '');
    expect(detectSandbox({ HOME: folder, [name]: path })).toBe(false);
  });
});

describe('KEY_ENCRYPTION_FILE', () => {
  const [newer, older] = [`new:${random32(7)}`, `old:${random32(9)}`];
  const write = (text: string, mode = 0o400): string => {
    const path = join(folder, 'ring');
    writeFileSync(path, text, { mode });
    return path;
  };
  const inProduction = (path: string): Environment => {
    const { KEY_ENCRYPTION_KEYS: _, ...others } = PRODUCTION;
    return { ...others, KEY_ENCRYPTION_FILE: path };
  };

  test.each([
    ['an entry a line', `${newer}\n${older}\n`],
    ['lines of another system', `${newer}\r\n${older}\r\n`],
    ['commas', `${newer},${older}`],
  ])('holds the keys of the variable: %s', (_, text) => {
    const { keyEncryption } = loadConfig(inProduction(write(text)));
    const variable = loadConfig({ ...PRODUCTION, KEY_ENCRYPTION_KEYS: `${newer},${older}` }).keyEncryption;
    const exported = (from: Config['keyEncryption']) =>
      from.kind === 'keyring' && from.keyring.keys.map(({ id, key }) => [id, key.export().toString('base64')]);
    expect(exported(keyEncryption)).toEqual(exported(variable));
    expect(readdirSync(folder)).toEqual(['ring']);
  });
  test.each([0o404, 0o402, 0o444, 0o644])('that others can reach is refused in production: mode %o', (mode) => {
    const path = write(newer, 0o600);
    chmodSync(path, mode);
    expect(problemsOf(inProduction(path))).toEqual([
      'KEY_ENCRYPTION_FILE can be read or changed by every user: chmod 0400 it, or 0440 (Kubernetes: defaultMode).',
    ]);
    loadConfig(local({ KEY_ENCRYPTION_FILE: path }));
  });
  test('of a group is taken', () => {
    loadConfig(inProduction(write(newer, 0o440)));
  });
  test.each([
    ['is missing', () => join(folder, 'nowhere'), 'ENOENT'],
    ['is a folder', () => folder, 'EISDIR'],
  ])('that %s is refused', (_, path, code) => {
    expect(problemsOf(local({ KEY_ENCRYPTION_FILE: path() }))).toEqual([
      `KEY_ENCRYPTION_FILE names a file that cannot be read (${code}).`,
    ]);
  });
  test.each([
    [
      'a short key',
      `k:${Buffer.alloc(31, 7).toString('base64')}`,
      /^KEY_ENCRYPTION_FILE: entry 1 must decode to exactly 32 bytes, and has 31/,
    ],
    ['the same key twice', `a:${random32(7)}\nb:${random32(7)}`, /^KEY_ENCRYPTION_FILE: entry 2 has the key of an/],
    ['the same id twice', `a:${random32(7)}\na:${random32(8)}`, /^KEY_ENCRYPTION_FILE: entry 2 has the id of an/],
    [
      'a key of zeros',
      `k:${Buffer.alloc(32).toString('base64')}`,
      /^KEY_ENCRYPTION_FILE: entry 1 can be guessed: .*rand -base64 32 before it/,
    ],
    ['nothing', '\n', /^KEY_ENCRYPTION_FILE: entry 1 must begin with an id of 1 to 16 characters/],
  ])('with %s is refused', (_, text, problem) => {
    expect(problemsOf(inProduction(write(text)))).toContainEqual(expect.stringMatching(problem));
  });
});

describe('KMS_KEY_ID', () => {
  const ID = '1234abcd-12ab-34cd-56ef-1234567890ab';
  const MULTI = `mrk-${'1234abcd'.repeat(4)}`;
  const ARN = `arn:aws:kms:us-east-1:111122223333:key/${ID}`;
  test('names the keys of AWS KMS, the first of which seals; nothing is generated', () => {
    const { keyEncryption } = loadConfig(local({ KMS_KEY_ID: `${ARN}, ${MULTI}`, KMS_URL: 'http://127.0.0.1:1' }));
    expect(keyEncryption).toEqual({
      kind: 'kms',
      kms: { keyIds: [ARN, MULTI], region: 'us-east-1', url: 'http://127.0.0.1:1' },
    });
    expect(readdirSync(join(folder, 'data'))).toEqual(['peppers']);
  });
  test.each(['alias/users-keys', ARN.replace('key/', 'alias/'), 'k1', `${ID},${ID}`, `${ID},`, ''.padEnd(36, '-')])(
    'is not %s',
    (id) => {
      expect(problemsOf(local({ KMS_KEY_ID: id }))).toEqual([
        'KMS_KEY_ID: must be the id or the ARN of a key of AWS KMS, not an alias, or several different ones separated by commas.',
      ]);
    },
  );
  test('is of the region that is asked', () => {
    expect(problemsOf(local({ KMS_KEY_ID: ARN, AWS_REGION: 'eu-west-1' }))).toEqual([
      'KMS_KEY_ID has a key of another region than AWS_REGION: use one that is there.',
    ]);
  });
  test('in production is asked over TLS', () => {
    const { KEY_ENCRYPTION_KEYS: _, ...others } = PRODUCTION;
    loadConfig({ ...others, KMS_KEY_ID: ID });
    loadConfig({ ...others, KMS_KEY_ID: ID, KMS_URL: 'https://kms.internal' });
    expect(problemsOf({ ...others, KMS_KEY_ID: ID, KMS_URL: 'http://kms.internal' })).toEqual([
      'KMS_URL must be https:// in production: KMS answers with data keys in clear. Only this machine’s own addresses may be http://.',
    ]);
  });
});

test.each([
  ['KEY_ENCRYPTION_KEYS and KEY_ENCRYPTION_FILE', { KEY_ENCRYPTION_FILE: '/nowhere' }],
  ['KEY_ENCRYPTION_KEYS and KMS_KEY_ID', { KMS_KEY_ID: '1234abcd-12ab-34cd-56ef-1234567890ab' }],
])('users’ keys are sealed in one way: %s together are refused', (names, more) => {
  expect(problemsOf({ ...PRODUCTION, ...more })).toEqual([
    `${names} are set, and only one of them can seal users' keys: unset the others.`,
  ]);
});

/** The key that seals users' keys. */
const sealingKeyOf = ({ keyEncryption }: Config): KeyObject => {
  if (keyEncryption.kind !== 'keyring') throw new Error('no keyring');
  return keyEncryption.keyring.keys[0].key;
};

describe('generated keys', () => {
  const digestScript = `
    import { createHash } from 'node:crypto';
    import { loadConfig } from './shared/process/config/config.ts';
    console.log('ready');
    process.stdin.once('data', () => {
      const { keyEncryption, peppers } = loadConfig(process.env);
      const bytes = [keyEncryption.keyring, peppers].map(({ keys: [{ key }] }) => key.export());
      console.log(createHash('sha256').update(Buffer.concat(bytes)).digest('hex'));
      process.exit();
    });`;

  test('are the same for eight processes that start at once, and none but the owner can read them', async () => {
    const root = new URL('../../..', import.meta.url).pathname;
    const processes = Array.from({ length: 8 }, () => {
      const args = ['--input-type=module', '--eval', digestScript];
      const child = spawn(process.execPath, args, { cwd: root, env: local(), stdio: ['pipe', 'pipe', 'inherit'] });
      let output = '';
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
        output += chunk;
      });
      return { child, ready: once(child.stdout, 'data'), closed: once(child, 'close'), output: () => output };
    });
    await Promise.all(processes.map(({ ready }) => ready));
    for (const { child } of processes) child.stdin.write('go\n');
    await Promise.all(processes.map(({ closed }) => closed));

    const digests = processes.map(({ output }) => output().split('\n')[1]);
    expect(digests[0]).toMatch(/^[0-9a-f]{64}$/);
    expect(new Set(digests).size).toBe(1);
    const data = join(folder, 'data');
    expect(statSync(data).mode & 0o777).toBe(0o700);
    expect(readdirSync(data).toSorted()).toEqual(['encryption-keys', 'peppers']);
    for (const file of readdirSync(data)) expect(statSync(join(data, file)).mode & 0o777).toBe(0o400);
  });

  test('stay as they are, and give way to configured ones', () => {
    const first = loadConfig(local());
    const again = loadConfig(local());
    expect(sealingKeyOf(again).equals(sealingKeyOf(first))).toBe(true);
    expect(again.peppers.keys[0].key.equals(first.peppers.keys[0].key)).toBe(true);
    const configured = loadConfig(local({ KEY_ENCRYPTION_KEYS: PRODUCTION.KEY_ENCRYPTION_KEYS }));
    expect(sealingKeyOf(configured).equals(sealingKeyOf(first))).toBe(false);
    expect(configured.peppers.keys[0].key.equals(first.peppers.keys[0].key)).toBe(true);
  });

  test('that cannot be kept are a problem of the configuration, said with the others', () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    expect(problemsOf({ HOME: folder, DATA_DIR: file, PORT: 'http' })).toEqual([
      expect.stringMatching(/^PORT: /),
      expect.stringMatching(/^KEY_PEPPERS is not set, and .* can be neither read nor made \(E[A-Z]+\)/),
      expect.stringMatching(/^KEY_ENCRYPTION_KEYS is not set, and .* can be neither read nor made \(E[A-Z]+\)/),
    ]);
  });

  test('that were spoilt are told by their file', () => {
    const path = join(folder, 'peppers');
    writeFileSync(path, 'local:AAAA');
    expect(problemsOf({ HOME: folder, DATA_DIR: folder })).toEqual([
      `${path}: entry 1 must decode to 32 bytes or more, and has 3.`,
    ]);
    expect(readFileSync(path, 'utf8')).toBe('local:AAAA');
  });
});

describe('no message holds six characters of a secret in a row', () => {
  // Letters and digits in turn, so that no window of it is a word of ours.
  const secret = fc.stringMatching(/^([A-Z][0-9]){8,30}$/);
  const expectHidden = (environment: Environment, value: string): void => {
    let shown = '';
    try {
      loadConfig(environment);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      shown = inspect(error);
    }
    for (let at = 0; at + 6 <= value.length; at++) expect(shown).not.toContain(value.slice(at, at + 6));
  };

  test('where it belongs, in every wrong form', () => {
    const places: ((value: string) => Environment)[] = [
      (value) => ({ REDIS_URL: `http://u:${value}@host`, PORT: 'x' }),
      (value) => ({ REDIS_URL: `redis://u:${value}/${value}@host` }),
      (value) => ({ REDIS_URL: `redis://host/${value}` }),
      (value) => ({ PLATFORM_API_KEYS: value }),
      (value) => ({ ADMIN_TOKEN: `${value} é` }),
      (value) => ({ PLATFORM_API_KEYS: `a b:${value},acme:${value},beta:${value},acme:gk_${value}` }),
      (value) => ({ PLATFORM_API_KEYS: `acme:${value}`, PORT: 'x' }),
      (value) => ({ KEY_PEPPERS: value, KEY_ENCRYPTION_KEYS: value }),
      (value) => ({ KEY_PEPPERS: `p:${value}`, KEY_ENCRYPTION_KEYS: `k:${value},k:${value}` }),
      (value) => ({ AWS_SECRET_ACCESS_KEY: value, AWS_BEARER_TOKEN_BEDROCK: value }),
      (value) => ({ OPENAI_CUSTOM_HEADERS: `authorization: ${value}`, ANTHROPIC_AUTH_TOKEN: value }),
      (value) => ({ PROVIDER_OPENAI_URL: `https://u:${value}@host`, PROVIDER_BEDROCK_URL: `https://host?k=${value}` }),
    ];
    fc.assert(
      fc.property(secret, fc.constantFrom(...places), fc.boolean(), (value, place, production) => {
        expectHidden({ ...(production ? PRODUCTION : local()), ...place(value) }, value);
      }),
    );
  });

  test('where it does not belong: pasted into any other variable', () => {
    fc.assert(
      fc.property(secret, fc.constantFrom(...VARIABLE_NAMES), (value, name) => {
        expectHidden({ ...PRODUCTION, [name]: value, SHARDS: 'x' }, value);
      }),
    );
  });
});

test.each(['api/main.ts', 'worker/main.ts'] as const)(
  '%s says every problem at once and ends with 1, before it listens or connects to anything',
  async (file) => {
    const server = createServer((socket) => socket.destroy());
    // Whoever listened first would say that the port is in use.
    const port = String(await listen(server));
    let connections = 0;
    server.on('connection', () => {
      connections += 1;
    });
    const settings = { PORT: port, REDIS_URL: `redis://127.0.0.1:${port}`, DATA_DIR: folder };
    const child = startProcess(file, { ...settings, SHARDS: '0', LOG_LEVEL: 'loud', PLATFORM_API_KEYS: 'acme:Q7L2V9' });

    expect(await child.exited).toEqual({ code: 1, signal: null });
    expect(child.otherOutput).toEqual([
      'The configuration has 3 problems:',
      '  - SHARDS: must be a whole number from 1 to 64, in digits only.',
      '  - LOG_LEVEL: must be debug, info, warn, error or silent.',
      expect.stringMatching(/^ {2}- PLATFORM_API_KEYS: entry 1 must end in a key of 16 or more /),
    ]);
    expect(child.log).toEqual([]);
    expect(connections).toBe(0);
    server.close();
  },
);
