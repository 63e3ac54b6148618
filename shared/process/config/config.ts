/** The one reader of the environment. Every misconfiguration is reported at once, before anything listens. */

import { z } from 'zod';
import { PROVIDERS, type Provider, perProvider, sandboxPath, urlVariable } from '../../../providers/catalogue.ts';
import { type PriceFile, readPriceFile } from '../../domain/prices/price-file.ts';
import type { DefaultLimits } from '../../domain/tenants/limits.ts';
import { ConfigError } from '../../domain/wording/config-error.ts';
import type { Peppers } from '../../keys/encryption/keyring.ts';
import type { KmsSettings } from '../../keys/encryption/kms.ts';
import { DEMO_PLATFORM_KEYS, type PlatformKeyEntry, parsePlatformKeys } from '../../keys/platform/platform-keys.ts';
import { Secret } from '../../keys/secret.ts';
import { findsAwsCredentials, isAwsEndpointVariable } from './aws-settings.ts';
import { type KeyEncryption, readKeyEncryption, readPeppers } from './key-settings.ts';
import { type Misspelt, misspeltVariables } from './misspelt-variables.ts';
import { exposureProblems, productionProblems } from './production-rules.ts';
import { judgeSecrets, type WeakKey } from './secret-rules.ts';
import {
  isReadByOthers,
  LOCAL_REDIS,
  type LOG_LEVELS,
  limitsIn,
  MAX_LINE_BYTES,
  NAMES_BESIDE,
  PROXY_VARIABLES,
  REFUSED_VARIABLES,
  type SEAL_BODIES,
  VARIABLE_NAMES,
  variables,
} from './variables.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

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
