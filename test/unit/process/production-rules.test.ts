/** What production refuses: each rule by its instances, and swept over all that it is a rule of. */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { PROVIDERS, urlVariable } from '../../../providers/catalogue.ts';
import { ConfigError } from '../../../shared/domain/wording/config-error.ts';
import { bitsOfBytes, bitsOfText, FLOOR_BITS } from '../../../shared/keys/guessable/bits.ts';
import { type Environment, loadConfig } from '../../../shared/process/config/config.ts';
import { VARIABLE_NAMES } from '../../../shared/process/config/variables.ts';
import { DOCUMENTS, read } from '../../support/documents.ts';

const folder = mkdtempSync(join(tmpdir(), 'gateway-production-rules-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const hex = (bytes = 24): string => randomBytes(bytes).toString('hex');
const key = (): Buffer => randomBytes(32);
const ring = (bytes: Buffer, id = 'k1'): string => `${id}:${bytes.toString('base64')}`;

/** A start that production takes, with secrets of its own. */
const sound = () => ({
  NODE_ENV: 'production',
  HOME: folder,
  KEY_PEPPERS: ring(key()),
  KEY_ENCRYPTION_KEYS: ring(key()),
  REDIS_URL: `rediss://:${hex()}@redis.internal`,
  TRUSTED_PROXIES: '10.0.0.0/8',
  ADMIN_TOKEN: hex(),
  PLATFORM_API_KEYS: `acme:${hex()},beta:${hex()}`,
});

const problemsOf = (environment: Environment, flags: readonly string[] = []): string[] => {
  try {
    loadConfig(environment, flags);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message.split('\n  - ').slice(1);
  }
};
/** Alone, in a start that is fit otherwise. */
const refusalsOf = (more: Environment, flags?: readonly string[]) => problemsOf({ ...sound(), ...more }, flags);

test('a start that follows the documentation is taken', () => {
  expect(refusalsOf({})).toEqual([]);
});

const GUESSABLE = /can be guessed: .*openssl rand -hex 32/;
const ONE_SECRET = /holds the same secret as .*Make each on its own/;

describe('is refused alone, by one sentence that names the variable and the change:', () => {
  const same = hex();
  const bytes = key();
  const rows: [what: string, environment: Environment, problem: RegExp][] = [
    ['a platform key of one letter', { PLATFORM_API_KEYS: 'acme:aaaaaaaaaaaaaaaa' }, GUESSABLE],
    ['an admin token made of one word', { ADMIN_TOKEN: 'changeme'.repeat(4) }, GUESSABLE],
    ['a password of Redis made of words', { REDIS_URL: 'rediss://:my-redis-password@host' }, GUESSABLE],
    ['one that is percent-encoded', { REDIS_URL: 'rediss://:%70assword%70assword@host' }, GUESSABLE],
    ['a password of the other Redis', { EPHEMERAL_REDIS_URL: 'rediss://:secretsecret@host' }, GUESSABLE],
    [
      'a pepper that is a sentence',
      { KEY_PEPPERS: ring(Buffer.from('changeme-changeme-changeme-change')) },
      /^KEY_PEPPERS: entry 1 can be guessed: .*rand -base64 32 before it.*docs\/security\/rotation\.md/,
    ],
    [
      'an encryption key that repeats itself',
      { KEY_ENCRYPTION_KEYS: ring(Buffer.from('00ff7e01'.repeat(8), 'hex')) },
      /^KEY_ENCRYPTION_KEYS: entry 1 can be guessed/,
    ],
    [
      'one value as pepper and as encryption key',
      { KEY_PEPPERS: ring(bytes), KEY_ENCRYPTION_KEYS: ring(bytes, 'k2') },
      ONE_SECRET,
    ],
    [
      'one as admin token and as platform key',
      { ADMIN_TOKEN: same, PLATFORM_API_KEYS: `acme:${same}` },
      /^PLATFORM_API_KEYS: entry 1 holds the same secret as ADMIN_TOKEN/,
    ],
    ['a platform key twice', { PLATFORM_API_KEYS: `acme:${same},acme:${same}` }, ONE_SECRET],
    ['a password as token', { ADMIN_TOKEN: same, REDIS_URL: `rediss://:${same}@host` }, ONE_SECRET],
    [
      'one password for both servers',
      { REDIS_URL: `rediss://:${same}@a`, EPHEMERAL_REDIS_URL: `rediss://:${same}@b` },
      ONE_SECRET,
    ],
    [
      'an AWS secret as token',
      { ADMIN_TOKEN: same, AWS_ACCESS_KEY_ID: 'AKIA', AWS_SECRET_ACCESS_KEY: same },
      ONE_SECRET,
    ],
    ['the sandbox', { SANDBOX: 'true' }, /^SANDBOX must not be on in production/],
    ['webhooks to private addresses', { WEBHOOK_ALLOW_PRIVATE: 'yes' }, /^WEBHOOK_ALLOW_PRIVATE must not be on/],
    ['unchecked certificates', { NODE_TLS_REJECT_UNAUTHORIZED: '0' }, /NODE_EXTRA_CA_CERTS/],
    [
      'a debugger in NODE_OPTIONS',
      { NODE_OPTIONS: '--max-old-space-size=512 --inspect=0.0.0.0' },
      /--inspect must not/,
    ],
    ['one with underscores', { NODE_OPTIONS: '--heapsnapshot_signal=SIGUSR2' }, /--heapsnapshot-signal must not/],
    ['Node’s own debugging', { NODE_DEBUG_NATIVE: 'tls' }, /^NODE_DEBUG_NATIVE must not be set/],
    [
      'AWS credentials in clear',
      { AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://creds.internal/role' },
      /^AWS_CONTAINER_CREDENTIALS_FULL_URI must be https:\/\//,
    ],
    ['Redis in clear', { REDIS_URL: `redis://:${hex()}@redis` }, /^REDIS_URL must be rediss:\/\//],
    ['Redis without a password', { REDIS_URL: 'rediss://redis' }, /^REDIS_URL must hold a password/],
  ];
  test.each(rows)('%s', (_, environment, problem) => {
    const refusals = refusalsOf(environment);
    expect(refusals).toEqual([expect.stringMatching(problem)]);
    // The same start with another NODE_ENV, to which only rules for every start apply.
    const { NODE_ENV: _production, ...others } = { ...sound(), ...environment };
    expect(problemsOf({ ...others, DATA_DIR: folder, HOME: folder }).filter((text) => text === refusals[0])).toEqual(
      [],
    );
  });
});

test('all that is wrong is said at once', () => {
  const same = key();
  const problems = refusalsOf(
    {
      PLATFORM_API_KEYS: 'acme:aaaaaaaaaaaaaaaa',
      ADMIN_TOKEN: `changeme${'-'.repeat(24)}`,
      KEY_PEPPERS: ring(same),
      KEY_ENCRYPTION_KEYS: ring(same),
      PROVIDER_OPENAI_URL: 'http://proxy.internal/v1',
      TRUSTED_PROXIES: '0.0.0.0/0',
      WEBHOOK_ALLOW_PRIVATE: 'true',
      DEBUG: '*',
    },
    ['--inspect-brk'],
  );
  expect(problems).toHaveLength(8);
});

describe('secrets', () => {
  const places: [string, (secret: string) => Environment][] = [
    ['ADMIN_TOKEN', (secret) => ({ ADMIN_TOKEN: secret })],
    ['PLATFORM_API_KEYS', (secret) => ({ PLATFORM_API_KEYS: `acme:${secret}` })],
    ['REDIS_URL', (secret) => ({ REDIS_URL: `rediss://:${encodeURIComponent(secret)}@host` })],
    ['EPHEMERAL_REDIS_URL', (secret) => ({ EPHEMERAL_REDIS_URL: `rediss://:${encodeURIComponent(secret)}@host` })],
  ];

  test('that are drawn as we say are taken, whatever they come to', () => {
    const drawn = fc.constantFrom(
      () => hex(24),
      () => hex(32),
      () => randomBytes(24).toString('base64'),
      () => randomBytes(32).toString('base64url'),
      () => randomUUID(),
    );
    fc.assert(
      fc.property(drawn, fc.constantFrom(...places), (draw, [, at]) => {
        expect(refusalsOf(at(draw()))).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });
  const ALPHABETS = {
    hex: '0123456789abcdef',
    base32: 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567',
    letters_and_digits: 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789',
    base64url: 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_',
  } as const;
  test.each(Object.entries(ALPHABETS))(
    'of the shortest length that is taken, drawn at random, lie above the floor: %s',
    (name, alphabet) => {
      // One in 50,000 of 16 characters lies below: the draws are the same each time.
      for (let draw = 0; draw < 5_000; draw++) {
        const bytes = createHash('sha512').update(`${name} ${draw}`).digest();
        const drawn = Array.from(
          { length: 32 },
          (_, at) => alphabet[bytes.readUInt16BE(at * 2) % alphabet.length],
        ).join('');
        expect(bitsOfText(drawn.slice(0, 16)), drawn).toBeGreaterThan(FLOOR_BITS.tenant);
        expect(bitsOfText(drawn), drawn).toBeGreaterThan(FLOOR_BITS.operator);
        expect(bitsOfBytes(bytes.subarray(0, 32)), drawn).toBeGreaterThan(FLOOR_BITS.operator);
      }
    },
  );

  describe('that look random and are not, are refused:', () => {
    const base64 = (text: string): string => Buffer.from(text).toString('base64');
    const squares = Array.from({ length: 32 }, (_, index) => index ** 2);
    const texts: [what: string, text: string][] = [
      ['words in base64', base64('changeme'.repeat(4))],
      ['a key of AWS’s documents', 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'],
      ['another one', 'je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY'],
      ['a walk over the keyboard', '1q2w3e4r5t6y7u8i9o0p1q2w3e4r5t6y'],
      ['its columns', '1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,'],
      ['its rows', 'qwertyuiopasdfghjklzxcvbnm123456'],
      ['the alphabet in both cases', 'AbCdEfGhIjKlMnOpQrStUvWxYzAbCdEf'],
      ['the alphabet with digits', 'a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6'],
      ['π', '31415926535897932384626433832795'],
      ['π in hex', '243f6a8885a308d313198a2e03707344'],
      ['e', '27182818284590452353602874713526'],
      ['squares', squares.join('').slice(0, 32)],
      [
        'powers of two',
        Array.from({ length: 20 }, (_, index) => 2 ** index)
          .join('')
          .slice(0, 40),
      ],
      ['a sentence', 'TheQuickBrownFoxJumpsOverTheLazyDog'],
      ['words with separators', 'correct-horse-battery-staple-football'],
      ['pairs', '00112233445566778899aabbccddeeff'],
      ['a digest of a word', '21232f297a57a5a743894a0e4a801fc3'],
      ['a digest of nothing', createHash('sha256').digest('hex')],
      ['its beginning', createHash('sha256').digest('hex').slice(0, 32)],
      ['a digest in base64', createHash('sha512').update('Password').digest('base64')],
      ['what echo and sha256sum make of a word', createHash('sha256').update('changeme\n').digest('hex')],
      ['words in UTF-16', Buffer.from('passwordpassword', 'utf16le').toString('base64')],
      ['squares as bytes', Buffer.from(squares).toString('hex')],
      ['a name and a date', 'john-smith-19850412-john-smith-19850412'],
      ['words in hex', Buffer.from('secret-token-of-my-company').toString('hex')],
    ];
    test.each(texts)('%s', (_, text) => {
      expect(refusalsOf({ ADMIN_TOKEN: text })).toEqual([expect.stringMatching(GUESSABLE)]);
      expect(bitsOfText(text)).toBeLessThan(FLOOR_BITS.operator);
    });
    test.each([
      'Summer2024!Summer',
      'johnsmith19850412',
      'football-baseball',
      '1qaz2wsx3edc4rfv',
      '1q2w3e4r5t6y7u8i',
      'AbCdEfGhIjKlMnOp',
      '3141592653589793',
      '0011223344556677',
      Buffer.from('password').toString('hex'),
      'Winter-2025-Boston',
      'michael.jordan23',
      'dragon1987-01-31',
    ])('a platform key %s', (text) => {
      expect(refusalsOf({ PLATFORM_API_KEYS: `acme:${text}` })).toEqual([expect.stringMatching(GUESSABLE)]);
    });
    test.each([
      ['digest of nothing', createHash('sha256').digest()],
      ['digest of a word', createHash('sha256').update('admin').digest()],
      ['squares', Buffer.from(squares.map((square) => square & 255))],
      ['squares of another modulus', Buffer.from(squares.map((square) => (7 * square + 3) % 251))],
      ['cubes', Buffer.from(squares.map((_, index) => (index ** 3) & 255))],
      ['words in UTF-16', Buffer.from('passwordpassword', 'utf16le')],
      ['words in hex', Buffer.from(Buffer.from('changeme'.repeat(2)).toString('hex'))],
    ])('a pepper and an encryption key that is a %s', (_, bytes) => {
      for (const name of ['KEY_PEPPERS', 'KEY_ENCRYPTION_KEYS']) {
        expect(refusalsOf({ [name]: ring(bytes) })).toEqual([
          expect.stringMatching(`^${name}: entry 1 can be guessed`),
        ]);
      }
    });
  });

  test('that are words, repetitions and sequences are refused, in any place, case and spelling', () => {
    const word = fc.constantFrom('changeme', 'secret', 'password', 'example', 'admin', 'test', 'P4ssw0rd', 'S3cret');
    const unit = fc.oneof(
      word,
      fc.stringMatching(/^[a-z0-9]{1,4}$/),
      fc.constantFrom('0123456789abcdef', 'abcdefghijklmnop', '9876543210', 'qwertyuiop'),
    );
    const written = fc.tuple(unit, fc.constantFrom('', '-', '_', '.'), fc.boolean()).map(([text, separator, upper]) => {
      const repeated = Array.from({ length: Math.ceil(40 / text.length) }, () => text).join(separator);
      return upper ? repeated.toUpperCase() : repeated;
    });
    fc.assert(
      fc.property(written, fc.constantFrom(...places), (secret, [name, at]) => {
        expect(refusalsOf(at(secret))).toEqual([expect.stringMatching(new RegExp(`${name}.* can be guessed`))]);
      }),
      { numRuns: 500 },
    );
  });

  test('that our documents show are refused', () => {
    const shown = [...DOCUMENTS, '.env.example', 'docker-compose.yml']
      .map(read)
      .join('\n')
      .match(/(?<=X-API-Key: |PLATFORM_API_KEYS=\w+:|ADMIN_TOKEN=|Bearer )[A-Za-z0-9_-]{16,}/g);
    const samples = new Set(shown);
    expect(samples.size).toBeGreaterThan(0);
    for (const sample of [...samples].filter((text) => !text.startsWith('gk_'))) {
      expect(refusalsOf({ PLATFORM_API_KEYS: `acme:${sample}` }), sample).not.toEqual([]);
    }
  });

  test('that hold one another, or differ in little, are one secret; a common beginning is none', () => {
    const pairOf = (one: string, other: string) => refusalsOf({ ADMIN_TOKEN: one, PLATFORM_API_KEYS: `acme:${other}` });
    const [random, more] = [hex(24), hex(24)];
    const derived: [string, string][] = [
      [random, random.slice(0, 32)],
      [random.slice(0, 40), random],
      [random, random.slice(8)],
      [random, random.slice(8, 40)],
      [random, `acme-${random}`],
      [random, `${random}-2`],
      [`${random}-admin`, `${random}-acme`],
      [random, random.toUpperCase().slice(0, 40)],
      [Buffer.from(random).toString('base64'), `${random}0`],
      [Buffer.from(random, 'hex').toString('base64'), random.slice(0, 40)],
    ];
    for (const [one, other] of derived) {
      expect(pairOf(one, other), `${one} ${other}`).toEqual([expect.stringMatching(ONE_SECRET)]);
    }
    for (const [one, other] of [
      [`acme-live-gateway-${random}`, `acme-live-gateway-${more}`],
      [`${random}${more}`, `${random}${hex(24)}`],
      [random, more],
    ] as const) {
      expect(pairOf(one, other)).toEqual([]);
    }
    const bytes = key();
    const digits = bytes.toString('hex');
    for (const pair of [
      { KEY_PEPPERS: `p1:${digits}`, KEY_ENCRYPTION_KEYS: `k1:${digits}` },
      { KEY_PEPPERS: ring(bytes), KEY_ENCRYPTION_KEYS: `k1:${digits}` },
      { KEY_PEPPERS: `p1:${digits}`, KEY_ENCRYPTION_KEYS: ring(bytes) },
      { KEY_PEPPERS: `p1:${digits}`, ADMIN_TOKEN: digits },
    ]) {
      expect(refusalsOf(pair)).toEqual([expect.stringMatching(ONE_SECRET)]);
    }
    expect(refusalsOf({ KEY_PEPPERS: ring(Buffer.concat([bytes, key()])), KEY_ENCRYPTION_KEYS: ring(bytes) })).toEqual([
      expect.stringMatching(ONE_SECRET),
    ]);
  });
  test('are compared in time that grows with their number alone', () => {
    const keys = Array.from({ length: 2_000 }, (_, index) => `tenant-${index}:a-common-beginning-${hex(24)}`).join(',');
    const from = performance.now();
    expect(refusalsOf({ PLATFORM_API_KEYS: keys })).toEqual([]);
    expect(performance.now() - from).toBeLessThan(5_000);
  });
  test('are one secret in every encoding of it', () => {
    const places2: [string, (bytes: Buffer, text: string) => Environment][] = [
      ['ADMIN_TOKEN', (_, text) => ({ ADMIN_TOKEN: text })],
      ['PLATFORM_API_KEYS', (_, text) => ({ PLATFORM_API_KEYS: `acme:${text}` })],
      ['REDIS_URL', (_, text) => ({ REDIS_URL: `rediss://:${encodeURIComponent(text)}@host` })],
      ['EPHEMERAL_REDIS_URL', (_, text) => ({ EPHEMERAL_REDIS_URL: `rediss://:${encodeURIComponent(text)}@host` })],
      ['KEY_PEPPERS', (bytes) => ({ KEY_PEPPERS: ring(bytes) })],
      ['KEY_ENCRYPTION_KEYS', (bytes) => ({ KEY_ENCRYPTION_KEYS: ring(bytes) })],
      ['AWS_BEARER_TOKEN_BEDROCK', (_, text) => ({ AWS_BEARER_TOKEN_BEDROCK: text })],
    ];
    const encodings: ((bytes: Buffer) => string)[] = [
      (bytes) => bytes.toString('hex'),
      (bytes) => bytes.toString('hex').toUpperCase(),
      (bytes) => bytes.toString('base64'),
      (bytes) => bytes.toString('base64url'),
      (bytes) => Buffer.from(bytes.toString('hex')).toString('base64'),
    ];
    const encoded = fc.constantFrom(...encodings);
    fc.assert(
      fc.property(
        fc.shuffledSubarray(places2, { minLength: 2, maxLength: 2 }),
        encoded,
        encoded,
        (pair, one, other) => {
          const bytes = key();
          const [first, second] = pair;
          const environment = { ...first?.[1](bytes, one(bytes)), ...second?.[1](bytes, other(bytes)) };
          expect(refusalsOf(environment)).toEqual([expect.stringMatching(ONE_SECRET)]);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('an older entry of a ring', () => {
  const weakBytes = [
    Buffer.alloc(32, 7),
    Buffer.from('changeme-changeme-changeme-change'.slice(0, 32)),
    Buffer.alloc(32),
  ];
  const weakOf = (environment: Environment) => loadConfig({ ...sound(), ...environment }).weakKeys;

  test('that can be guessed goes the whole way out: before, behind a new one with a warning, and gone', () => {
    for (const name of ['KEY_PEPPERS', 'KEY_ENCRYPTION_KEYS'] as const) {
      const [fresh, old] = [ring(key(), 'new'), ring(Buffer.alloc(32, 7), 'old')];
      const refusal = [
        expect.stringMatching(new RegExp(`^${name}: entry 1 can be guessed: .* before it, and keep it`)),
      ];
      expect(refusalsOf({ [name]: old })).toEqual(refusal);
      expect(refusalsOf({ [name]: `${old},${fresh}` })).toEqual(refusal);
      const rolled = loadConfig({ ...sound(), [name]: `${fresh},${old}` });
      expect(rolled.weakKeys).toEqual([{ variable: name, ring_key: 'old', reason: 'can be guessed' }]);
      const kept = name === 'KEY_PEPPERS' ? rolled.peppers : rolled.keyEncryption;
      expect(JSON.stringify(kept)).toContain('"old"');
      expect(weakOf({ [name]: fresh })).toEqual([]);
    }
  });
  test('stands in any later place, also in a file, and with the flaw of the other ring', () => {
    const file = join(folder, 'ring');
    const [one, two, three] = weakBytes.map((bytes, index) => ring(bytes, `old-${index}`));
    writeFileSync(file, `${ring(key(), 'new')}\n${one}\n${two}\n`, { mode: 0o400 });
    const { KEY_ENCRYPTION_KEYS: _, ...others } = sound();
    const { weakKeys } = loadConfig({
      ...others,
      KEY_ENCRYPTION_FILE: file,
      KEY_PEPPERS: `${ring(key(), 'new')},${ring(key(), 'good')},${three}`,
    });
    expect(weakKeys.map(({ variable, ring_key }) => `${variable} ${ring_key}`)).toEqual([
      'KEY_PEPPERS old-2',
      'KEY_ENCRYPTION_FILE old-0',
      'KEY_ENCRYPTION_FILE old-1',
    ]);
  });
  test('that is the other ring’s too goes out in two steps, and no step is refused', () => {
    const both = key();
    const [pepper, sealing] = [ring(key(), 'p2'), ring(key(), 'k2')];
    const KEY_PEPPERS = `${pepper},${ring(both, 'p1')}`;
    expect(refusalsOf({ KEY_PEPPERS: ring(both, 'p1'), KEY_ENCRYPTION_KEYS: ring(both, 'k1') })).toHaveLength(1);
    expect(weakOf({ KEY_PEPPERS, KEY_ENCRYPTION_KEYS: `${sealing},${ring(both, 'k1')}` })).toEqual([
      { variable: 'KEY_ENCRYPTION_KEYS', ring_key: 'k1', reason: 'holds the same secret as KEY_PEPPERS: entry 2' },
    ]);
    expect(weakOf({ KEY_PEPPERS, KEY_ENCRYPTION_KEYS: sealing })).toEqual([]);
    // What can be changed at once is refused still.
    expect(refusalsOf({ KEY_PEPPERS, ADMIN_TOKEN: both.toString('hex') })).toEqual([
      expect.stringMatching(/^KEY_PEPPERS: entry 2 holds the same secret as ADMIN_TOKEN/),
    ]);
  });
});

describe('every variable that takes a URL', () => {
  /** Not called in production, or held to more by a rule of its own. */
  const EXEMPT = ['SANDBOX_URL', 'REDIS_URL', 'EPHEMERAL_REDIS_URL'];
  const names = VARIABLE_NAMES.filter((name) => {
    // A folder of that name would be made.
    if (name === 'DATA_DIR') return false;
    const isForm = (value: string) =>
      problemsOf({ HOME: folder, DATA_DIR: folder, SANDBOX: 'true', [name]: value }).every(
        (text) => !text.startsWith(name),
      );
    return isForm('https://host.example') && !isForm('host.example') && !EXEMPT.includes(name);
  });
  test('is known', () => {
    expect(names).toEqual(
      expect.arrayContaining([...PROVIDERS.map(urlVariable), 'KMS_URL', 'OTEL_EXPORTER_OTLP_ENDPOINT']),
    );
  });
  test.each(names)('%s crosses networks over TLS only', (name) => {
    for (const host of [
      'proxy.internal',
      '10.0.0.7',
      '192.0.2.1',
      '[fd00::1]',
      '0.0.0.0',
      'localhost.evil.example',
      '127.0.0.1.nip.io',
    ]) {
      expect(refusalsOf({ [name]: `http://${host}/v1` }), host).toEqual([
        expect.stringMatching(new RegExp(`^${name} must be https:// in production: `)),
      ]);
      expect(refusalsOf({ [name]: `https://${host}/v1` }), host).toEqual([]);
    }
    for (const host of ['127.0.0.1:4318', 'localhost', '[::1]', '127.1.2.3']) {
      expect(refusalsOf({ [name]: `http://${host}` }), host).toEqual([]);
    }
  });
});

describe('TRUSTED_PROXIES', () => {
  test.each([
    '0.0.0.0/0',
    '::/0',
    '0.0.0.0/1,128.0.0.0/1',
    '10.0.0.0/7',
    '1.0.0.0/8',
    '::ffff:0.0.0.0/96',
    '2000::/3',
    '10.0.0.0/8, 8.0.0.0/6',
    Array.from({ length: 256 }, (_, index) => `${index}.0.0.0/8`).join(','),
  ])('does not hold strangers: %s', (TRUSTED_PROXIES) => {
    expect(refusalsOf({ TRUSTED_PROXIES })).toEqual([
      expect.stringMatching(/^TRUSTED_PROXIES must hold the proxies alone/),
    ]);
  });
  test.each([
    '10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fd00::/8,127.0.0.0/8,::1',
    '192.0.2.7',
    '100.64.0.0/10',
    // As large as those that CDNs publish.
    '104.16.0.0/13,172.64.0.0/13,131.0.72.0/22,2400:cb00::/32,2a06:98c0::/29',
    '::ffff:10.0.0.0/104',
  ])('holds %s', (TRUSTED_PROXIES) => {
    expect(refusalsOf({ TRUSTED_PROXIES })).toEqual([]);
  });
});

describe('Node’s options', () => {
  const reads =
    /inspect|heap-?snapshot|heap-?prof|cpu-prof|report|diagnostic|abort|keylog|trace-tls|insecure|security-rev|config-file/;
  const dangerous = [...process.allowedNodeEnvironmentFlags].filter(
    (flag) =>
      reads.test(flag) && flag !== '--experimental-abortcontroller' && !/^--(?:no-|trace-sigint|test-)/.test(flag),
  );
  test.each([...dangerous, '--inspect-brk=0', '--prof', '--tls-min-v1.0'])('refuses %s', (flag) => {
    expect(refusalsOf({}, [flag])).toEqual([expect.stringMatching(/must not be used in production: it/)]);
    expect(refusalsOf({ NODE_OPTIONS: `--no-warnings ${flag}` })).toEqual([expect.stringMatching(/must not be used/)]);
  });
  test('takes those that operators need', () => {
    const needed = [
      '--max-old-space-size=512',
      '--disable-sigusr1',
      '--use-openssl-ca',
      '--enable-source-maps',
      '--dns-result-order=ipv4first',
    ];
    expect(refusalsOf({ NODE_OPTIONS: needed.join(' ') }, [...needed, '--import=./apm.js'])).toEqual([]);
  });
});

describe('real providers, served to other machines', () => {
  const real = {
    AWS_ACCESS_KEY_ID: 'AKIA',
    AWS_SECRET_ACCESS_KEY: 'x',
    HOST: '0.0.0.0',
    HOME: folder,
    DATA_DIR: folder,
  };
  const said = /^NODE_ENV must be set .*production.*development.*SANDBOX=true/;
  test('need a word on what this is: Compose hands on credentials, and an empty NODE_ENV', () => {
    expect(problemsOf({ ...real, NODE_ENV: '' })).toEqual([expect.stringMatching(said)]);
    for (const fine of [
      { NODE_ENV: 'development' },
      { SANDBOX: 'true' },
      { HOST: '127.0.0.1' },
      { HOST: 'localhost' },
    ]) {
      expect(problemsOf({ ...real, ...fine })).toEqual([]);
    }
  });
  test('are known by the proxy before a loopback address, and NODE_ENV=test is no word on it', () => {
    const served = fc.record(
      {
        HOST: fc.constantFrom('0.0.0.0', '::', '192.0.2.1', 'gateway.internal', '127.0.0.1', '::1'),
        TRUSTED_PROXIES: fc.constantFrom('127.0.0.1', '::1', '10.0.0.0/8,192.0.2.7'),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(served, fc.constantFrom('', 'test', 'development'), (settings, NODE_ENV) => {
        const { HOST: _ours, ...elsewhere } = real;
        const isServed =
          settings.TRUSTED_PROXIES !== undefined || !['127.0.0.1', '::1', undefined].includes(settings.HOST);
        expect(problemsOf({ ...elsewhere, ...settings, NODE_ENV })).toEqual(
          isServed && NODE_ENV !== 'development' ? [expect.stringMatching(said)] : [],
        );
      }),
    );
    expect(problemsOf({ ...real, HOST: '127.0.0.1', TRUSTED_PROXIES: '127.0.0.1' })).toEqual([
      expect.stringMatching(/real providers and TRUSTED_PROXIES names a proxy/),
    ]);
    expect(problemsOf({ ...real, NODE_ENV: 'test' })).toEqual([expect.stringMatching(/and HOST lets other machines/)]);
  });
});
