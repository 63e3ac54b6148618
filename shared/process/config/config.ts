/** The one reader of the environment. Every misconfiguration is reported at once, before anything listens. */

import { z } from 'zod';
import { PROVIDERS, type Provider, perProvider, sandboxPath, urlVariable } from '../../../providers/catalogue.ts';
import { modelName } from '../../domain/completion.ts';
import { MAX_LINES } from '../../domain/ids.ts';
import { type PriceFile, readPriceFile } from '../../domain/prices/price-file.ts';
import { type DefaultLimits, LIMITS, perLimit } from '../../domain/tenants/limits.ts';
import { DEFAULT_RETRY_SCHEDULE_SECONDS } from '../../domain/webhooks/retry-schedule.ts';
import { ConfigError } from '../../domain/wording/config-error.ts';
import type { Peppers } from '../../keys/encryption/keyring.ts';
import type { KmsSettings } from '../../keys/encryption/kms.ts';
import { DEMO_PLATFORM_KEYS, type PlatformKeyEntry, parsePlatformKeys } from '../../keys/platform/platform-keys.ts';
import { Secret } from '../../keys/secret.ts';
import { findsAwsCredentials, isAwsEndpointVariable } from './aws-settings.ts';
import { type KeyEncryption, readKeyEncryption, readPeppers } from './key-settings.ts';
import { type Misspelt, misspeltVariables } from './misspelt-variables.ts';
import { isHttpUrl, isRedisUrl } from './outward-url.ts';
import { exposureProblems, productionProblems } from './production-rules.ts';
import { judgeSecrets, type WeakKey } from './secret-rules.ts';
import { isNetwork } from './trusted-networks.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Digits only: what a coercion to a number would make of " ", "1e3" or "0x10" nobody meant. */
const wholeIn = (from: number, to: number) => {
  const error = `must be a whole number from ${from.toLocaleString('en')} to ${to.toLocaleString('en')}, in digits only`;
  return z
    .string()
    .refine((text) => /^\d{1,15}$/.test(text) && Number(text) >= from && Number(text) <= to, error)
    .transform(Number);
};
const whole = (from: number, to: number, otherwise: number) => wholeIn(from, to).default(otherwise);
/** Dollars and cents. */
const dollars = (most: number) =>
  z
    .string()
    .refine(
      (text) => /^\d{1,9}(\.\d{1,2})?$/.test(text) && Number(text) >= 0.01 && Number(text) <= most,
      `must be an amount from 0.01 to ${most.toLocaleString('en')}, such as 250 or 99.50`,
    )
    .transform(Number);
const yesOrNo = z.stringbool({ error: 'must be true or false' });

type LimitVariable = NonNullable<(typeof LIMITS)[keyof typeof LIMITS]['variable']>;
type LimitSettings = Partial<Record<LimitVariable, number | undefined>>;

/** The variables of limits that have one. */
const limitVariables =
  // A cast because fromEntries forgets the names.
  Object.fromEntries(
    Object.values(LIMITS).flatMap(({ variable, unit, min, max }) =>
      variable === null ? [] : [[variable, (unit === 'usd' ? dollars(max) : wholeIn(min, max)).optional()]],
    ),
  ) as Record<LimitVariable, z.ZodOptional<ReturnType<typeof wholeIn>>>;

const limitsIn = (set: LimitSettings): DefaultLimits =>
  // A cast because the names do not tell which have a value of their own.
  perLimit((name) => {
    const { variable, otherwise } = LIMITS[name];
    return (variable === null ? undefined : set[variable]) ?? otherwise;
  }) as DefaultLimits;
const oneOf = <const T extends readonly string[]>(names: T) =>
  z.enum(names, { error: `must be ${names.slice(0, -1).join(', ')} or ${names.at(-1)}` });

/** No more than an SDK can put a path behind; and `fetch` refuses a URL that holds a user. */
const httpUrl = z.string().refine(isHttpUrl, 'must be an http:// or https:// URL without user, query and fragment');

const isRetrySchedule = (text: string): boolean => {
  const waits = text.split(',');
  const isWait = (wait: string): boolean => /^\d{1,6}$/.test(wait) && Number(wait) >= 1 && Number(wait) <= 604_800;
  return waits.length <= 20 && waits.every(isWait);
};

const networks = z
  .string()
  .transform((text) => text.split(',').map((network) => network.trim()))
  .refine(
    (texts) => texts.every(isNetwork),
    'must be addresses and networks separated by commas, such as 10.0.0.0/8,fd00::/8,192.0.2.7',
  );

/** No alias: it can be pointed at another key, and what was sealed before would no longer open. */
const KMS_KEY_ID =
  /^(?:arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key\/)?(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32})$/;
const kmsKeyIds = z
  .string()
  .transform((text) => text.split(',').map((id) => id.trim()))
  .refine(
    (ids) => ids.every((id) => KMS_KEY_ID.test(id)) && new Set(ids).size === ids.length,
    'must be the id or the ARN of a key of AWS KMS, not an alias, or several different ones separated by commas',
  )
  .transform((ids) => ids as [string, ...string[]]); // `split` gives at least one.

const isModelName = (name: string): boolean => modelName.safeParse(name).success;
const modelNames = z
  .string()
  .transform((text) => text.split(',').map((name) => name.trim()))
  .refine(
    (names) => names.every(isModelName) || (names.length === 1 && names[0] === '*'),
    'must be names of models separated by commas, or * for all',
  );

const redisUrl = z
  .string()
  .refine(
    isRedisUrl,
    'must be a URL such as redis://host:6379 or rediss://user:password@host:6379/0, with special characters of the password percent-encoded',
  );
const LOCAL_REDIS = 'redis://127.0.0.1:6379';
const ENVIRONMENTS = ['development', 'test', 'production'] as const;
const MAX_LINE_BYTES = 1_048_576;
const SEAL_BODIES = ['byok', 'all', 'off'] as const;
const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;

// A cast because Object.fromEntries forgets which keys it was given.
const providerUrls = Object.fromEntries(
  PROVIDERS.map((provider) => [urlVariable(provider), httpUrl.optional()]),
) as Record<ReturnType<typeof urlVariable<Provider>>, z.ZodOptional<typeof httpUrl>>;

/** Every variable that the gateway reads, as docs/reference/configuration.md lists them. An empty value counts as unset. */
const variables = z.object({
  // Closed, because a misspelt `production` would open the sandbox with its public key.
  NODE_ENV: oneOf(ENVIRONMENTS).default('development'),
  HOST: z.string().optional(),
  PORT: whole(0, 65_535, 4_000),
  IDLE_SECONDS: whole(1, 86_400, 620),
  MAX_WAIT_SECONDS: whole(1, 600, 50),
  DRAIN_SECONDS: whole(0, 3_600, 30),
  UNREADY_SECONDS: wholeIn(0, 600).optional(),
  REDIS_URL: redisUrl.default(LOCAL_REDIS),
  REDIS_ALLOW_INSECURE: yesOrNo.default(false),
  SHARDS: whole(1, 64, 1),
  SANDBOX: yesOrNo.optional(),
  SANDBOX_URL: httpUrl.default('http://127.0.0.1:4010'),
  DATA_DIR: z.string().default('.data'),
  PLATFORM_API_KEYS: z.string().optional(),
  ADMIN_TOKEN: z
    .string()
    .regex(/^[\x21-\x7e]{32,512}$/, 'must have 32 to 512 printable ASCII characters without space')
    .optional(),
  ADMIN_PORT: wholeIn(0, 65_535).optional(),
  TRUSTED_PROXIES: networks.optional(),
  AUTH_FAILURES_PER_MINUTE: whole(1, 1_000_000, 60),
  KEY_PEPPERS: z.string().optional(),
  KEY_ENCRYPTION_KEYS: z.string().optional(),
  KEY_ENCRYPTION_FILE: z.string().optional(),
  KMS_KEY_ID: kmsKeyIds.optional(),
  KMS_URL: httpUrl.optional(),
  KEY_SHREDDING: oneOf(['off', 'strict']).default('off'),
  EPHEMERAL_REDIS_URL: redisUrl.optional(),
  ...providerUrls,
  AWS_REGION: z
    .string()
    .regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'must be a region such as us-east-1')
    .default('us-east-1'),
  BEDROCK_MODEL_ID: z
    .string()
    .refine(isModelName, 'must be the name of a model, such as amazon.nova-lite-v1:0')
    .default('amazon.nova-lite-v1:0'),
  BEDROCK_MODELS: modelNames.optional(),
  PRICE_FILE: z.string().optional(),
  ...limitVariables,
  WORKER_CONCURRENCY: whole(1, 10_000, 100),
  JOB_TIMEOUT_SECONDS: whole(1, 600, 120),
  JOB_DEADLINE_SECONDS: whole(1, 86_400, 3_600),
  MAX_ATTEMPTS: whole(1, 20, 4),
  MAX_THROTTLES: whole(1, 500, 50),
  RESULT_TTL_SECONDS: whole(1, 2_592_000, 86_400),
  WEBHOOK_ALLOW_PRIVATE: yesOrNo.default(false),
  WEBHOOK_RETRY_SCHEDULE_SECONDS: z
    .string()
    .refine(isRetrySchedule, 'must be 1 to 20 whole numbers from 1 to 604,800, separated by commas')
    .default(DEFAULT_RETRY_SCHEDULE_SECONDS.join(',')),
  AUDIT_TTL_SECONDS: whole(3_600, 315_360_000, 7_776_000),
  AUDIT_ANCHOR_FILE: z.string().optional(),
  MAX_BODY_BYTES: whole(1_024, 64 * 1_048_576, 32 * 1_048_576),
  BODY_MEMORY_BYTES: whole(16 * 1_048_576, 64 * 1_073_741_824, 256 * 1_048_576),
  SEAL_BODIES: oneOf(SEAL_BODIES).default('byok'),
  MAX_BATCH_LINES: whole(1, MAX_LINES, 100_000),
  MAX_BATCH_BYTES: whole(1_024, 1_073_741_824, 268_435_456),
  MAX_BATCH_QUEUED: whole(1, 100_000_000, 1_000_000),
  LOG_LEVEL: oneOf(LOG_LEVELS).default('info'),
  METRICS_PORT: wholeIn(0, 65_535).optional(),
  OTEL_EXPORTER_OTLP_ENDPOINT: httpUrl.optional(),
  EXIT_WITH_PARENT: yesOrNo.default(false),
  ALIVE_FILE: z.string().optional(),
});

/** The names that docs/reference/configuration.md lists. */
export const VARIABLE_NAMES = Object.keys(variables.shape);

/** Read by what runs beside the gateway: the launcher, the sandbox, commands and Compose. */
const NAMES_BESIDE = [
  ...['SANDBOX_DELAY_MS', 'SANDBOX_HOST', 'SANDBOX_PORT'],
  ...['GATEWAY_URL', 'GATEWAY_API_KEY', 'GATEWAY_USER_API_KEY', 'GATEWAY_USER_PROVIDER'],
  ...['NODE_IMAGE', 'REDIS_IMAGE', 'PUBLISH_ADDRESS', 'REDIS_PASSWORD', 'REDIS_MAXMEMORY', 'BUILD_NETWORK'],
] as const;

/** The SDKs read these behind our back and would send one tenant's calls elsewhere, or under another account. */
const REFUSED_VARIABLES = [
  'OPENAI_BASE_URL',
  'OPENAI_ORG_ID',
  'OPENAI_PROJECT_ID',
  'OPENAI_CUSTOM_HEADERS',
  'ANTHROPIC_BASE_URL',
  'ANTHROPIC_CUSTOM_HEADERS',
  'ANTHROPIC_AUTH_TOKEN',
] as const;

/** Nothing here goes through a proxy: the connections would go around it, or fail where only it leads out. */
const PROXY_VARIABLES = ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY'] as const;

/** Of the AWS SDK, Node, npm and OpenTelemetry: they have more names than are listed here. */
const isReadByOthers = (name: string): boolean => /^(AWS|NODE|NPM|OTEL)_/i.test(name);

export type Config = {
  /** Variables that nothing reads, each with the one that may be meant. */
  misspelt: readonly Misspelt[];
  /** Older entries of rings that production would refuse as new ones. */
  weakKeys: readonly WeakKey[];
  production: boolean;
  /** Whether the providers are the local stand-in, and the demo key and the sample user keys are taken. */
  sandbox: boolean;
  http: {
    host: string;
    port: number;
    /** Where the operator's calls are, and nothing of tenants; null: on `port`. */
    adminPort: number | null;
    maxBodyBytes: number;
    /** What bodies may take of an API process' memory. */
    bodyMemoryBytes: number;
    authFailuresPerMinute: number;
    trustedProxies: readonly string[];
    /** How long a connection may stay open without a request. */
    idleMs: number;
    /** The longest that a request waits for its job or batch. */
    maxWaitMs: number;
    /** How long an API that is told to stop still takes requests, so that balancers see first that it is not ready. */
    unreadyMs: number;
  };
  /** How long what runs may go on in a process that is told to stop. */
  drainMs: number;
  redis: { url: string; shards: number };
  platformKeys: readonly PlatformKeyEntry[];
  /** Null: there is no admin interface. */
  adminToken: Secret | null;
  /** Key what is stored of platform keys, job ids and fingerprints. */
  peppers: Peppers;
  keyEncryption: KeyEncryption;
  /** Whether new seals need the secret of their period, and where the secrets are; null: nowhere. */
  shredding: { strict: boolean; ephemeralUrl: string | null };
  /** Whose requests and answers are sealed: those on users' keys, all, or none. */
  sealBodies: (typeof SEAL_BODIES)[number];
  providers: {
    /** Null: the vendor's own. */
    urls: Record<Provider, string | null>;
    awsRegion: string;
    bedrockAuth:
      | { kind: 'default_chain' }
      | { kind: 'access_key'; accessKeyId: string; secretAccessKey: Secret }
      | { kind: 'api_key'; token: Secret };
  };
  /** What the platform's account runs where a request names no model. */
  platformModel: string;
  /** What the platform's account runs for tenants without a list of their own; null: every model. */
  platformModels: readonly string[] | null;
  /** The operator's own prices; null: those of the built-in list alone. */
  priceFile: PriceFile | null;
  jobs: {
    defaultTimeoutMs: number;
    defaultDeadlineMs: number;
    maxAttempts: number;
    maxThrottles: number;
    retentionMs: number;
  };
  /** What holds for a tenant without limits of its own. */
  limits: DefaultLimits;
  /** How long rows of the audit log are kept. */
  auditRetentionMs: number;
  /** Where the newest seals of the audit log are kept outside Redis; null: nowhere. */
  auditAnchorFile: string | null;
  batches: {
    maxLines: number;
    /** Of one line: all of a batch's stand in Redis among others. */
    maxLineBytes: number;
    maxBytes: number;
    /** Lines of one tenant that wait. */
    maxQueued: number;
  };
  workerConcurrency: number;
  webhooks: {
    /** Whether loopback and private targets, and plain http, are open. */
    allowPrivate: boolean;
    /** How long to wait after the first, second, … failed attempt. */
    retryScheduleMs: readonly number[];
  };
  logLevel: (typeof LOG_LEVELS)[number];
  /** Where each process tells Prometheus of itself; null: an API does on its own port outside production, and nobody else. */
  metricsPort: number | null;
  /** Base URL of a collector of traces; null: they are not recorded. */
  traceEndpoint: string | null;
  /** Whether to stop when standard input closes: the launcher's children must not outlive it. */
  exitWithParent: boolean;
  /** A file that a worker touches every second while it reaches Redis, for a health check; null: none. */
  aliveFile: string | null;
};

/** Whether these settings mean the sandbox: said so, or nothing points at a real provider account outside production. Asks no network. */
export const detectSandbox = (environment: Environment): boolean => {
  const given = (name: string): boolean => Boolean(environment[name]);
  if (given('SANDBOX')) return z.stringbool().safeParse(environment.SANDBOX).data ?? false;
  return !(
    environment.NODE_ENV === 'production' ||
    PROVIDERS.map(urlVariable).some(given) ||
    findsAwsCredentials(environment)
  );
};

/** What a command has: it seals nothing. */
export type CommandConfig = Omit<Config, 'keyEncryption'>;

/**
 * Reads and checks everything; throws one ConfigError that names every problem. Outside production it creates missing keys once in `DATA_DIR`.
 * `flags`: the options that Node was started with.
 */
export const loadConfig = (environment: Environment, flags: readonly string[] = process.execArgv): Config => {
  const { keyEncryption, ...config } = readSettings(environment, { flags, makesKeys: true });
  // With `makesKeys` there is one, or a problem was reported.
  if (keyEncryption === null) throw new ConfigError([]);
  return { ...config, keyEncryption };
};

/** The same for a command beside the gateway, whose keys it uses: it makes none, and leaves nothing behind. */
export const loadCommandConfig = (environment: Environment): CommandConfig =>
  readSettings(environment, { flags: process.execArgv, makesKeys: false });

const readSettings = (
  environment: Environment,
  { flags, makesKeys }: { flags: readonly string[]; makesKeys: boolean },
): CommandConfig & { keyEncryption: KeyEncryption | null } => {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const problems: string[] = [];
  const parsed = variables.safeParse(given);
  for (const issue of parsed.error?.issues ?? []) problems.push(`${issue.path.join('.')}: ${issue.message}.`);

  const production = given.NODE_ENV === 'production';
  const sandbox = detectSandbox(given);
  for (const name of [...REFUSED_VARIABLES, ...Object.keys(given).filter(isAwsEndpointVariable)]) {
    if (given[name])
      problems.push(`${name} must not be set: an SDK would obey it for every tenant. Use PROVIDER_*_URL or KMS_URL.`);
  }
  for (const name of PROXY_VARIABLES.flatMap((each) => [each, each.toLowerCase()])) {
    if (!sandbox && given[name])
      problems.push(
        `${name} must not be set: calls to providers, AWS KMS and webhooks do not go through a proxy. Unset it for the gateway, and let its network route them.`,
      );
  }
  if (Boolean(given.AWS_ACCESS_KEY_ID) !== Boolean(given.AWS_SECRET_ACCESS_KEY)) {
    problems.push('AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set together.');
  }
  problems.push(
    ...(production
      ? productionProblems({ REDIS_URL: LOCAL_REDIS, ...given }, { sandbox, flags })
      : exposureProblems(given, sandbox)),
  );
  if (given.ADMIN_PORT && given.ADMIN_PORT !== '0' && Number(given.ADMIN_PORT) === parsed.data?.PORT) {
    problems.push('ADMIN_PORT must not be PORT; leave it out to serve the operator’s calls there.');
  }
  if (given.KEY_SHREDDING === 'strict' && !given.EPHEMERAL_REDIS_URL) {
    problems.push('KEY_SHREDDING=strict needs EPHEMERAL_REDIS_URL: a Redis that keeps nothing but in its memory.');
  }

  const collect = <T>(result: ({ ok: true } & T) | { ok: false; problems: string[] }): T | null => {
    if (result.ok) return result;
    problems.push(...result.problems);
    return null;
  };
  const reading = { given, production, makesKeys, report: (problem: string) => problems.push(problem) };
  const peppers = readPeppers(reading);
  const keyEncryption = readKeyEncryption(kmsSettings(parsed.data), reading);
  const platformKeyText = [given.PLATFORM_API_KEYS, sandbox && !production ? DEMO_PLATFORM_KEYS : '']
    .filter(Boolean)
    .join(',');
  const platformKeys = platformKeyText
    ? collect(parsePlatformKeys(platformKeyText, { allowSample: sandbox }))
    : { entries: [] };

  const priceFile = given.PRICE_FILE ? collect(readPriceFile(given.PRICE_FILE)) : null;

  if (!production && platformKeys?.entries.some(({ key }) => key.reveal() === given.ADMIN_TOKEN)) {
    problems.push('ADMIN_TOKEN must not be one of PLATFORM_API_KEYS: a tenant would be the operator.');
  }
  const { problems: ofSecrets, weak: weakKeys } = production
    ? judgeSecrets(given, platformKeys?.entries ?? [], { peppers, keyEncryption })
    : { problems: [], weak: [] };
  problems.push(...ofSecrets);

  if (!parsed.success || !peppers || !platformKeys || problems.length > 0) throw new ConfigError(problems);
  const set = parsed.data;
  return {
    misspelt: misspeltVariables(Object.keys(given), {
      read: [...VARIABLE_NAMES, ...NAMES_BESIDE],
      others: isReadByOthers,
    }),
    weakKeys,
    production,
    sandbox,
    http: {
      host: set.HOST ?? (production ? '0.0.0.0' : '127.0.0.1'),
      port: set.PORT,
      adminPort: set.ADMIN_PORT ?? null,
      maxBodyBytes: set.MAX_BODY_BYTES,
      bodyMemoryBytes: set.BODY_MEMORY_BYTES,
      authFailuresPerMinute: set.AUTH_FAILURES_PER_MINUTE,
      trustedProxies: set.TRUSTED_PROXIES ?? [],
      idleMs: set.IDLE_SECONDS * 1_000,
      maxWaitMs: set.MAX_WAIT_SECONDS * 1_000,
      unreadyMs: (set.UNREADY_SECONDS ?? (production ? 5 : 0)) * 1_000,
    },
    drainMs: set.DRAIN_SECONDS * 1_000,
    redis: { url: set.REDIS_URL, shards: set.SHARDS },
    platformKeys: platformKeys.entries,
    adminToken: set.ADMIN_TOKEN === undefined ? null : new Secret(set.ADMIN_TOKEN),
    peppers,
    keyEncryption,
    shredding: { strict: set.KEY_SHREDDING === 'strict', ephemeralUrl: set.EPHEMERAL_REDIS_URL ?? null },
    sealBodies: set.SEAL_BODIES,
    providers: {
      urls: perProvider(
        (provider) => set[urlVariable(provider)] ?? (sandbox ? `${set.SANDBOX_URL}${sandboxPath(provider)}` : null),
      ),
      awsRegion: set.AWS_REGION,
      bedrockAuth: bedrockAuth(sandbox, given.AWS_BEARER_TOKEN_BEDROCK),
    },
    platformModel: set.BEDROCK_MODEL_ID,
    platformModels: platformModels(set, production),
    priceFile: priceFile?.prices ?? null,
    jobs: {
      defaultTimeoutMs: set.JOB_TIMEOUT_SECONDS * 1_000,
      defaultDeadlineMs: set.JOB_DEADLINE_SECONDS * 1_000,
      maxAttempts: set.MAX_ATTEMPTS,
      maxThrottles: set.MAX_THROTTLES,
      retentionMs: set.RESULT_TTL_SECONDS * 1_000,
    },
    limits: limitsIn(set),
    auditRetentionMs: set.AUDIT_TTL_SECONDS * 1_000,
    auditAnchorFile: set.AUDIT_ANCHOR_FILE ?? null,
    batches: {
      maxLines: set.MAX_BATCH_LINES,
      maxLineBytes: Math.min(set.MAX_BODY_BYTES, MAX_LINE_BYTES),
      maxBytes: set.MAX_BATCH_BYTES,
      maxQueued: set.MAX_BATCH_QUEUED,
    },
    workerConcurrency: set.WORKER_CONCURRENCY,
    webhooks: {
      allowPrivate: set.WEBHOOK_ALLOW_PRIVATE,
      retryScheduleMs: set.WEBHOOK_RETRY_SCHEDULE_SECONDS.split(',').map((seconds) => Number(seconds) * 1_000),
    },
    logLevel: set.LOG_LEVEL,
    metricsPort: set.METRICS_PORT ?? null,
    traceEndpoint: set.OTEL_EXPORTER_OTLP_ENDPOINT ?? null,
    exitWithParent: set.EXIT_WITH_PARENT,
    aliveFile: set.ALIVE_FILE ?? null,
  };
};

/** Each model has a price of its own, and in production the operator pays: none is run that was not named. */
const platformModels = (
  { BEDROCK_MODELS, BEDROCK_MODEL_ID }: z.infer<typeof variables>,
  production: boolean,
): readonly string[] | null => {
  if (BEDROCK_MODELS?.[0] === '*') return null;
  if (BEDROCK_MODELS !== undefined) return [BEDROCK_MODEL_ID, ...BEDROCK_MODELS];
  return production ? [BEDROCK_MODEL_ID] : null;
};

const kmsSettings = (set: z.infer<typeof variables> | undefined): KmsSettings | null =>
  set?.KMS_KEY_ID ? { keyIds: set.KMS_KEY_ID, region: set.AWS_REGION, url: set.KMS_URL ?? null } : null;

const bedrockAuth = (sandbox: boolean, apiKey: string | undefined): Config['providers']['bedrockAuth'] => {
  if (sandbox) return { kind: 'access_key', accessKeyId: 'sandbox', secretAccessKey: new Secret('sandbox') };
  return apiKey ? { kind: 'api_key', token: new Secret(apiKey) } : { kind: 'default_chain' };
};
