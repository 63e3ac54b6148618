/** A whole gateway for one test file: real Redis, real processes, and the sandbox in the place of the providers. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PROVIDERS, type UserProvider, urlVariable } from '../../../providers/catalogue.ts';
import type { SandboxCall } from '../../../sandbox/call-record.ts';
import { createSandbox, type Sandbox, type SandboxOptions } from '../../../sandbox/server.ts';
import type { Job } from '../../../shared/domain/jobs/schema.ts';
import { startOwnRedis, type TestRedis } from '../redis/redis.ts';
import { until } from '../until.ts';
import { type GatewayProcess, type LogLine, startProcess } from './process.ts';

/** Platform keys of the tenants that tests use; production takes them. */
export const KEYS = {
  acme: 'acme-Vt5qZ81mXr7LwK02pJ',
  beta: 'beta-h3NfY96cBd4SgT18uE',
  gamma: 'gamma-Q7jRz20vWk5MxC93oA',
} as const;

export type TestApi = GatewayProcess & { url: string };

export type Answer = { status: number; headers: Headers; body: unknown };

export type TestGateway = {
  redis: TestRedis;
  sandbox: Sandbox;
  apis: TestApi[];
  workers: GatewayProcess[];
  env: Record<string, string>;
  /** `root`: of another release. */
  addApi: (env?: Record<string, string>, from?: { root?: string }) => Promise<TestApi>;
  addWorker: (env?: Record<string, string>, from?: { root?: string }) => Promise<GatewayProcess>;
  /** A call to the first API, as the tenant `acme` unless another key is given. */
  call: (method: string, path: string, options?: CallOptions) => Promise<Answer>;
  /** Submits one message and answers the accepted job. */
  submit: (text: string, options?: CallOptions & { fields?: object }) => Promise<Job>;
  /** A job as it stands. */
  read: (id: string, options?: CallOptions) => Promise<Job>;
  /** Waits until a job is final. */
  finished: (id: string, options?: CallOptions) => Promise<Job>;
  /** The provider's calls whose request holds this text, oldest first; needs the sandbox's `record`. */
  callsWith: (text: string) => SandboxCall[];
  stop: () => Promise<void>;
};

export type CallOptions = {
  key?: string;
  headers?: Record<string, string>;
  body?: unknown;
  api?: TestApi;
};

export const OPENAI_KEY = 'sk-proj-test0000000000000000';
export const ANTHROPIC_KEY = 'sk-ant-api03-test0000000000000000';

/** The headers of a request on a user's own key. */
export const userKey = (key = OPENAI_KEY, provider: UserProvider = 'openai'): Record<string, string> => ({
  'X-User-API-Key': key,
  'X-User-Provider': provider,
});

/** No promise: on a busy machine several gateways start at once. */
const START = { withinMs: 40_000 };

/** The line with which a process says that it is up; fails at once, with what it printed, when it ends instead. */
const logged = (process: GatewayProcess, message: string): Promise<LogLine> =>
  Promise.race([
    until(`${message} is logged`, () => process.log.find(({ msg }) => msg === message), START),
    process.exited.then(({ code, signal }) => {
      throw new Error(
        `ended (${code ?? signal}) before ${message}:\n${process.printed.stderr.concat(process.printed.stdout).join('\n')}`,
      );
    }),
  ]);

export const startGateway = async ({
  apis = 1,
  workers = 1,
  env = {},
  sandbox: sandboxOptions = {},
  redis: givenRedis,
}: {
  apis?: number;
  workers?: number;
  env?: Record<string, string>;
  sandbox?: SandboxOptions;
  /** The gateway stops it; without one it starts a server of its own. */
  redis?: TestRedis;
} = {}): Promise<TestGateway> => {
  const redis = givenRedis ?? (await startOwnRedis());
  const sandbox = await createSandbox({ delayMs: 0, acceptAnyKey: true, ...sandboxOptions });
  const dataDir = await mkdtemp(join(tmpdir(), 'gateway-test-keys-'));
  const common: Record<string, string> = {
    REDIS_URL: redis.url,
    DATA_DIR: dataDir,
    // Not the sandbox mode: tests use keys that look real, and the providers are wherever we say.
    SANDBOX: 'false',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    ...Object.fromEntries(PROVIDERS.map((provider) => [urlVariable(provider), sandbox.providerUrls[provider]])),
    PLATFORM_API_KEYS: Object.entries(KEYS)
      .map(([tenant, key]) => `${tenant}:${key}`)
      .join(','),
    // Many tests send wrong keys, all from one address.
    AUTH_FAILURES_PER_MINUTE: '1000000',
    // Tests send as fast as they can.
    RATE_LIMIT_RPM: '1000000',
    MAX_QUEUED: '1000000',
    PORT: '0',
    ...env,
  };
  const gateway: TestGateway = {
    redis,
    sandbox,
    apis: [],
    workers: [],
    env: common,
    addApi: async (more = {}, from = {}) => {
      const started = startProcess('api/main.ts', { ...common, ...more }, from);
      const line = await logged(started, 'api_listening');
      const api = { ...started, url: `http://127.0.0.1:${String(line.port)}` };
      gateway.apis.push(api);
      return api;
    },
    addWorker: async (more = {}, from = {}) => {
      const worker = startProcess('worker/main.ts', { ...common, ...more }, from);
      gateway.workers.push(worker);
      await logged(worker, 'worker_started');
      return worker;
    },
    call: async (method, path, { key = KEYS.acme, headers = {}, body, api = gateway.apis[0] } = {}) => {
      const response = await fetch(`${api?.url ?? ''}${path}`, {
        method,
        headers: {
          'X-API-Key': key,
          ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      return { status: response.status, headers: response.headers, body: text === '' ? null : JSON.parse(text) };
    },
    submit: async (text, { fields = {}, ...options } = {}) => {
      const answer = await gateway.call('POST', '/v1/complete', {
        ...options,
        body: { messages: [{ role: 'user', content: text }], ...fields },
      });
      if (answer.status !== 202) throw new Error(`not accepted: ${answer.status} ${JSON.stringify(answer.body)}`);
      return answer.body as Job;
    },
    read: async (id, options = {}) => {
      const { status, body } = await gateway.call('GET', `/v1/jobs/${id}`, options);
      if (status !== 200) throw new Error(`job ${id}: ${status} ${JSON.stringify(body)}`);
      return body as Job;
    },
    finished: async (id, options = {}) => {
      for (;;) {
        const { status, body } = await gateway.call('GET', `/v1/jobs/${id}?wait=20`, options);
        if (status !== 200) throw new Error(`job ${id}: ${status} ${JSON.stringify(body)}`);
        const job = body as Job;
        if (job.finished_at !== null) return job;
      }
    },
    callsWith: (text) => sandbox.calls.filter(({ body }) => JSON.stringify(body).includes(text)),
    stop: async () => {
      await Promise.all([...gateway.apis, ...gateway.workers].map((process) => process.stop()));
      await sandbox.close();
      await redis.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
  try {
    for (let count = 0; count < workers; count++) await gateway.addWorker();
    for (let count = 0; count < apis; count++) await gateway.addApi();
    const ready = async (): Promise<boolean> => {
      const answers = await Promise.all(gateway.apis.map((api) => gateway.call('GET', '/readyz', { api })));
      return answers.every(({ status }) => status === 200);
    };
    await until('every API is ready', ready, START);
  } catch (error) {
    await gateway.stop();
    throw error;
  }
  return gateway;
};
