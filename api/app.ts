/** The HTTP interface, from middleware to routes. The order of the checks is part of the contract. */
import { Hono } from 'hono';
import { RequestError } from '../shared/domain/errors.ts';
import type { Log } from '../shared/domain/log.ts';
import { insteadOfPath } from '../shared/domain/wording/foreign-names.ts';
import type { BatchIds, JobIds } from '../shared/keys/digests/genuine-ids.ts';
import type { Config } from '../shared/process/config/config.ts';
import type { ApiMetrics } from '../shared/process/metrics/api-metrics.ts';
import type { Tracer } from '../shared/process/tracing/tracer.ts';
import type { AuditStore } from '../shared/storage/audit/audit-store.ts';
import type { BatchStore } from '../shared/storage/batches/batch-store.ts';
import type { JobStore } from '../shared/storage/jobs/job-store.ts';
import type { SchedulerStore } from '../shared/storage/jobs/scheduler-store.ts';
import type { Queues } from '../shared/storage/queue/queues.ts';
import type { PlatformKeyStore } from '../shared/storage/tenants/platform-key-store.ts';
import type { TenantStore } from '../shared/storage/tenants/tenant-store.ts';
import type { WorkStore } from '../shared/storage/tenants/work-store.ts';
import type { BudgetStore } from '../shared/storage/usage/budget-store.ts';
import type { UsageStore } from '../shared/storage/usage/usage-store.ts';
import type { DeliveryStore } from '../shared/storage/webhooks/delivery-store.ts';
import type { WebhookSecretStore } from '../shared/storage/webhooks/webhook-secret-store.ts';
import { authenticateOperator } from './access/authenticate-operator.ts';
import { authenticateTenant } from './access/authenticate-tenant.ts';
import type { Authenticator } from './access/authenticator.ts';
import { type Asker, type CallMeter, FEWEST_REQUESTS } from './access/call-meter.ts';
import { type FailedLogins, networkOf } from './access/failed-logins.ts';
import { meterCalls } from './access/meter-calls.ts';
import type { NoteLogin } from './access/note-login.ts';
import type { ReadJson } from './http/body/read-json.ts';
import type { ClientAddress } from './http/client-address.ts';
import type { ApiContext, ApiEnv } from './http/context.ts';
import { accessLog } from './http/middleware/access-log.ts';
import { countRequest } from './http/middleware/count-request.ts';
import { demandHttps } from './http/middleware/demand-https.ts';
import { demandNormalPath } from './http/middleware/demand-normal-path.ts';
import { requestId } from './http/middleware/request-id.ts';
import { respondWithError } from './http/middleware/respond-with-error.ts';
import { traceRequest } from './http/middleware/trace-request.ts';
import type { EstimateJob } from './intake/estimate-job.ts';
import type { ResolveAccount } from './intake/resolve-account.ts';
import type { StopWork } from './intake/stop-work.ts';
import type { Submission, Submitted } from './intake/submit-job.ts';
import type { AcceptBatch } from './intake/uploads/accept-batch.ts';
import type { UploadSlots } from './intake/uploads/upload-slots.ts';
import type { WaitingRoom } from './intake/waiting-room.ts';
import { addOperationRoutes } from './operations/operations.ts';
import { addAdminRoutes } from './surfaces/admin/tenants/operations.ts';
import { addBatchRoutes } from './surfaces/native/batches/operations.ts';
import { addCompleteRoute } from './surfaces/native/jobs/complete.ts';
import { addJobRoutes } from './surfaces/native/jobs/operations.ts';
import type { TakeRequest } from './surfaces/native/take-request.ts';
import type { TakeTurns } from './surfaces/native/take-turns.ts';
import { addUsageRoute } from './surfaces/native/usage/operations.ts';
import { addWebhookRoutes } from './surfaces/native/webhooks/operations.ts';

type Needs = {
  config: Config;
  authenticator: Authenticator;
  failedLogins: FailedLogins;
  noteLogin: NoteLogin;
  callMeter: CallMeter;
  client: ClientAddress;
  tenants: TenantStore;
  platformKeys: PlatformKeyStore;
  work: WorkStore;
  stopWork: StopWork;
  scheduler: SchedulerStore;
  audit: AuditStore;
  jobs: JobStore;
  jobIds: JobIds;
  batches: BatchStore;
  batchIds: BatchIds;
  queues: Queues;
  usage: UsageStore;
  deliveries: DeliveryStore;
  webhookSecrets: WebhookSecretStore;
  budgets: BudgetStore;
  submitJob: (submission: Submission) => Promise<Submitted>;
  acceptBatch: AcceptBatch;
  resolveAccount: ResolveAccount;
  estimateJob: EstimateJob;
  readJson: ReadJson;
  takeRequest: TakeRequest;
  takeTurns: TakeTurns;
  uploadSlots: UploadSlots;
  waitingRoom: WaitingRoom;
  isReady: () => Promise<boolean>;
  isStopping: () => boolean;
  tracer: Tracer;
  metrics: ApiMetrics;
  now: () => number;
  log: Log;
};

const tenantOf = (c: ApiContext): Asker => {
  const { tenant, limits } = c.get('caller');
  return { name: tenant, requestsPerMinute: limits.requests_per_minute };
};

/** Whose calls a port takes. */
export type Surface = { tenants: boolean; operator: boolean };

export const createApp = (needs: Needs, surface: Surface): Hono<ApiEnv> => {
  const app = new Hono<ApiEnv>();
  app.onError(respondWithError(needs.log));
  app.notFound((c) => {
    const instead = insteadOfPath(c.req.path);
    throw new RequestError('not_found', {
      message: `There is no such path; ${instead === null ? '' : `${instead}, and `}/docs and /openapi.json list what exists.`,
    });
  });

  app.use(requestId, countRequest(needs.metrics));
  // Not of the probes, which come every few seconds.
  app.use('/v1/*', accessLog(needs.log), traceRequest(needs.tracer));
  app.use('/admin/*', accessLog(needs.log));
  app.use(demandNormalPath);
  if (needs.config.production) app.use(demandHttps(needs.client));
  if (surface.tenants) {
    // A caller without a key does not learn which paths exist.
    app.use(
      '/v1/*',
      authenticateTenant(needs.authenticator, needs.failedLogins),
      meterCalls(needs.callMeter, tenantOf),
    );
    addCompleteRoute(app, needs);
    addJobRoutes(app, needs);
    addBatchRoutes(app, needs);
    addUsageRoute(app, needs);
    addWebhookRoutes(app, needs);
  }
  const networkOfClient = (c: ApiContext): string => networkOf(needs.client.addressOf(c.env.incoming));
  // Without a token nobody is the operator, and the paths do not exist.
  const adminToken = surface.operator ? needs.config.adminToken : null;
  if (adminToken !== null) {
    app.use(
      '/admin/*',
      authenticateOperator(adminToken, needs.failedLogins, (c) => needs.noteLogin(networkOfClient(c))),
    );
    addAdminRoutes(app, needs);
  }
  addOperationRoutes(app, {
    meter: meterCalls(needs.callMeter, (c) => ({ name: networkOfClient(c), requestsPerMinute: FEWEST_REQUESTS })),
    isReady: needs.isReady,
    isStopping: needs.isStopping,
    sandbox: needs.config.sandbox,
    tenants: surface.tenants,
    admin: adminToken !== null,
    // In production clients reach this port.
    metrics: surface.tenants && needs.config.metricsPort === null && !needs.config.production ? needs.metrics : null,
  });
  return app;
};
