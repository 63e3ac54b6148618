/** The HTTP interface, from middleware to routes. The order of the checks is part of the contract. */
import { Hono } from 'hono';
import { createMiddleware } from 'hono/factory';
import { RequestError } from '../shared/domain/errors.ts';
import type { Log } from '../shared/domain/log.ts';
import type { Config } from '../shared/process/config/config.ts';
import type { ApiMetrics } from '../shared/process/metrics/api-metrics.ts';
import type { Tracer } from '../shared/process/tracing/tracer.ts';
import { authenticateOperator } from './access/authenticate-operator.ts';
import { authenticateTenant } from './access/authenticate-tenant.ts';
import type { Authenticator } from './access/authenticator.ts';
import { type Asker, type CallMeter, FEWEST_REQUESTS } from './access/call-meter.ts';
import { type FailedLogins, networkOf } from './access/failed-logins.ts';
import { installOperations } from './access/install-operations.ts';
import { meterCalls } from './access/meter-calls.ts';
import type { NoteLogin } from './access/note-login.ts';
import type { AnyOperation, NeedsOf } from './access/operation.ts';
import type { ClientAddress } from './http/client-address.ts';
import type { ApiContext, ApiEnv } from './http/context.ts';
import { OWN_WORDS, type RefusalWords } from './http/error-form.ts';
import { accessLog } from './http/middleware/access-log.ts';
import { countRequest } from './http/middleware/count-request.ts';
import { demandHttps } from './http/middleware/demand-https.ts';
import { demandNormalPath } from './http/middleware/demand-normal-path.ts';
import { requestId } from './http/middleware/request-id.ts';
import { respondWithError } from './http/middleware/respond-with-error.ts';
import { traceRequest } from './http/middleware/trace-request.ts';
import { OPERATIONS } from './interface.ts';
import { createDocument } from './operations/openapi/document.ts';
import { PROCESS_OPERATIONS } from './operations/operations.ts';
import { ANTHROPIC_WORDS } from './surfaces/anthropic/error-form.ts';
import { DIALECTS, dialectAstray, dialectOfClient, headOf, messageAstray } from './surfaces/foreign/right-base.ts';
import { OPENAI_WORDS } from './surfaces/openai/error-form.ts';

export type Needs = Omit<NeedsOf<typeof OPERATIONS>, 'document'> & {
  config: Config;
  authenticator: Authenticator;
  failedLogins: FailedLogins;
  noteLogin: NoteLogin;
  callMeter: CallMeter;
  client: ClientAddress;
  tracer: Tracer;
  metrics: ApiMetrics;
  log: Log;
};

const tenantOf = (c: ApiContext): Asker => {
  const { tenant, limits } = c.get('caller');
  return { name: tenant, requestsPerMinute: limits.requests_per_minute };
};

/** Whose calls a port takes. */
export type Surface = { tenants: boolean; operator: boolean };

/** Where tenants' calls are, and in whose words they are refused there. */
const TENANT_PATHS = {
  '/v1/': OWN_WORDS,
  [DIALECTS.openai.paths]: OPENAI_WORDS,
  [DIALECTS.anthropic.paths]: ANTHROPIC_WORDS,
} as const satisfies Record<string, RefusalWords>;

const wordsOf = (path: string): RefusalWords =>
  Object.entries(TENANT_PATHS).find(([beginning]) => path.startsWith(beginning))?.[1] ?? OWN_WORDS;

const OWN_HEADS: ReadonlySet<string> = new Set(
  OPERATIONS.flatMap(({ path }) =>
    Object.values(DIALECTS).some(({ paths }) => path.startsWith(paths)) ? [] : headOf(path),
  ),
);

/** The last part of such a path may have slashes: `/models/:model{.+}`. */
const NAMES_BEHIND = OPERATIONS.flatMap(({ path }) => /^(.*):\w+\{\.\+\}$/.exec(path)?.[1] ?? []);

/** Before authentication: a client at a wrong base URL may well have no key of ours yet. */
const demandRightBase = createMiddleware<ApiEnv>(async (c, next) => {
  const client = dialectOfClient((name) => c.req.header(name));
  const dialect = dialectAstray(c.req.path, client, OWN_HEADS);
  if (dialect !== null) {
    c.set('words', wordsOf(DIALECTS[dialect].paths));
    throw new RequestError('not_found', { message: messageAstray(dialect) });
  }
  await next();
});

export const createApp = (needs: Needs, surface: Surface): Hono<ApiEnv> => {
  const app = new Hono<ApiEnv>();
  app.onError(respondWithError(needs.log, (c) => (c.get('words') ?? wordsOf(c.req.path)).form));
  app.notFound(() => {
    throw new RequestError('not_found', {
      message: 'There is no such path; /docs and /openapi.json list what exists.',
    });
  });

  app.use(requestId, countRequest(needs.metrics));
  // Not of the probes, which come every few seconds.
  for (const beginning of Object.keys(TENANT_PATHS)) {
    app.use(`${beginning}*`, accessLog(needs.log), traceRequest(needs.tracer));
  }
  app.use('/admin/*', accessLog(needs.log));
  app.use(demandNormalPath(NAMES_BEHIND));
  if (needs.config.production) app.use(demandHttps(needs.client));
  if (surface.tenants) {
    app.use(demandRightBase);
    // A caller without a key does not learn which paths exist.
    for (const beginning of Object.keys(TENANT_PATHS)) {
      app.use(
        `${beginning}*`,
        authenticateTenant(needs.authenticator, needs.failedLogins),
        meterCalls(needs.callMeter, tenantOf),
      );
    }
  }
  const networkOfClient = (c: ApiContext): string => networkOf(needs.client.addressOf(c.env.incoming));
  // Without a token nobody is the operator, and the paths do not exist.
  const adminToken = surface.operator ? needs.config.adminToken : null;
  if (adminToken !== null) {
    app.use(
      '/admin/*',
      authenticateOperator(adminToken, needs.failedLogins, (c) => needs.noteLogin(networkOfClient(c))),
    );
  }
  const meter = meterCalls(needs.callMeter, (c) => ({
    name: networkOfClient(c),
    requestsPerMinute: FEWEST_REQUESTS,
  }));
  for (const { path, errors } of PROCESS_OPERATIONS) if (errors?.includes('rate_limited')) app.use(path, meter);

  // In production clients reach this port.
  const hasMetrics = surface.tenants && needs.config.metricsPort === null && !needs.config.production;
  const isServed = ({ path, access }: AnyOperation): boolean => {
    if (access === 'operator') return adminToken !== null;
    return access === 'anyone' ? path !== '/metrics' || hasMetrics : surface.tenants;
  };
  const document = createDocument(OPERATIONS, isServed);
  installOperations(app, OPERATIONS.filter(isServed), { ...needs, document });
  return app;
};
