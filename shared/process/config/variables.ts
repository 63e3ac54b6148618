/** The variables of the environment: what each may be, and what it is if it is not set. */
import { z } from 'zod';
import { PROVIDERS, type Provider, urlVariable } from '../../../providers/catalogue.ts';
import { modelName } from '../../domain/completion.ts';
import { MAX_LINES } from '../../domain/ids.ts';
import { type DefaultLimits, LIMITS, perLimit } from '../../domain/tenants/limits.ts';
import { DEFAULT_RETRY_SCHEDULE_SECONDS } from '../../domain/webhooks/retry-schedule.ts';
import { isHttpUrl, isRedisUrl } from './outward-url.ts';
import { isNetwork } from './trusted-networks.ts';

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

/** The limits of a tenant without limits of its own. */
export const limitsIn = (set: LimitSettings): DefaultLimits =>
  // A cast because the names do not tell which have a value of their own.
  perLimit((name) => {
    const { variable, otherwise } = LIMITS[name];
    return (variable === null ? undefined : set[variable]) ?? (typeof otherwise === 'number' ? otherwise : null);
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
export const KMS_KEY_ID =
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
export const LOCAL_REDIS = 'redis://127.0.0.1:6379';
const ENVIRONMENTS = ['development', 'test', 'production'] as const;
export const MAX_LINE_BYTES = 1_048_576;
export const SEAL_BODIES = ['byok', 'all', 'off'] as const;
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;

// A cast because Object.fromEntries forgets which keys it was given.
const providerUrls = Object.fromEntries(
  PROVIDERS.map((provider) => [urlVariable(provider), httpUrl.optional()]),
) as Record<ReturnType<typeof urlVariable<Provider>>, z.ZodOptional<typeof httpUrl>>;

/** Every variable that the gateway reads, as docs/reference/configuration.md lists them. An empty value counts as unset. */
export const variables = z.object({
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
export const NAMES_BESIDE = [
  ...['SANDBOX_DELAY_MS', 'SANDBOX_HOST', 'SANDBOX_PORT'],
  ...['GATEWAY_URL', 'GATEWAY_API_KEY', 'GATEWAY_USER_API_KEY', 'GATEWAY_USER_PROVIDER'],
  ...['NODE_IMAGE', 'REDIS_IMAGE', 'PUBLISH_ADDRESS', 'REDIS_PASSWORD', 'REDIS_MAXMEMORY', 'BUILD_NETWORK'],
] as const;

/** The SDKs read these behind our back and would send one tenant's calls elsewhere, or under another account. */
export const REFUSED_VARIABLES = [
  'OPENAI_BASE_URL',
  'OPENAI_ORG_ID',
  'OPENAI_PROJECT_ID',
  'OPENAI_CUSTOM_HEADERS',
  'ANTHROPIC_BASE_URL',
  'ANTHROPIC_CUSTOM_HEADERS',
  'ANTHROPIC_AUTH_TOKEN',
] as const;

/** Nothing here goes through a proxy: the connections would go around it, or fail where only it leads out. */
export const PROXY_VARIABLES = ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY'] as const;

/** Of the AWS SDK, Node, npm and OpenTelemetry: they have more names than are listed here. */
export const isReadByOthers = (name: string): boolean => /^(AWS|NODE|NPM|OTEL)_/i.test(name);
