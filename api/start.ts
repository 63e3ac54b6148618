/** What an API process is made of, in the order in which it is built; closed in the reverse order. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { LONGEST_ANSWER_BYTES } from '../providers/call/answer-body.ts';
import type { Log } from '../shared/domain/log.ts';
import { createPrices } from '../shared/domain/prices/pricing.ts';
import { createBatchIds, createJobIds } from '../shared/keys/digests/genuine-ids.ts';
import { pepperMarks } from '../shared/keys/digests/pepper-marks.ts';
import { createRequestDigests } from '../shared/keys/digests/request-digest.ts';
import { createSealer, USER_KEY_PURPOSE } from '../shared/keys/encryption/seal.ts';
import { createBodySealer } from '../shared/keys/encryption/seal-body.ts';
import { createPlatformKeySecrets } from '../shared/keys/platform/platform-key.ts';
import { createPlatformKeys } from '../shared/keys/platform/platform-keys.ts';
import { createFingerprints } from '../shared/keys/user/fingerprint.ts';
import type { Config } from '../shared/process/config/config.ts';
import { functionsRefused } from '../shared/process/functions-refused.ts';
import { openDataKeys } from '../shared/process/keys/data-keys.ts';
import { openShredding } from '../shared/process/keys/shredding.ts';
import type { Lifecycle } from '../shared/process/lifecycle.ts';
import { createApiMetrics } from '../shared/process/metrics/api-metrics.ts';
import { createMetricsRegistry, timeScripts } from '../shared/process/metrics/registry.ts';
import { serveMetrics } from '../shared/process/metrics/serve-metrics.ts';
import { createTracer } from '../shared/process/tracing/tracer.ts';
import { createAuditStore } from '../shared/storage/audit/audit-store.ts';
import { createBatchStore } from '../shared/storage/batches/batch-store.ts';
import { createBodyStore } from '../shared/storage/bodies/body-store.ts';
import { createCommands } from '../shared/storage/commands/run/run-commands.ts';
import { createEventReaders } from '../shared/storage/events/event-reader.ts';
import { createAcceptJob } from '../shared/storage/jobs/accept-job.ts';
import { createJobStore } from '../shared/storage/jobs/job-store.ts';
import { createSchedulerStore } from '../shared/storage/jobs/scheduler-store.ts';
import { createWaitStore } from '../shared/storage/jobs/wait-store.ts';
import { createQueues } from '../shared/storage/queue/queues.ts';
import { connectForNews, connectForRequests } from '../shared/storage/redis/client.ts';
import { createRedisClock } from '../shared/storage/redis/clock.ts';
import { examineServer, type UnfitServer, verifyMode } from '../shared/storage/redis/server.ts';
import { subscribe } from '../shared/storage/redis/subscribe.ts';
import { createRaised } from '../shared/storage/schema/raised.ts';
import { createSchemaStore } from '../shared/storage/schema/schema-store.ts';
import { verifyStorage } from '../shared/storage/schema/verify-storage.ts';
import { noteUsedPeppers } from '../shared/storage/secrets/used-peppers.ts';
import { createPlatformKeyStore } from '../shared/storage/tenants/platform-key-store.ts';
import { createRequestStore } from '../shared/storage/tenants/request-store.ts';
import { createTenantStore } from '../shared/storage/tenants/tenant-store.ts';
import { createWorkStore } from '../shared/storage/tenants/work-store.ts';
import { createBudgetStore } from '../shared/storage/usage/budget-store.ts';
import { createUsageStore } from '../shared/storage/usage/usage-store.ts';
import { createDeliveryStore } from '../shared/storage/webhooks/delivery-store.ts';
import { createWebhookSecretStore, WEBHOOK_SECRET_PURPOSE } from '../shared/storage/webhooks/webhook-secret-store.ts';
import { createAuthenticator } from './access/authenticator.ts';
import { createCallMeter } from './access/call-meter.ts';
import { createFailedLogins } from './access/failed-logins.ts';
import { createNoteLogin } from './access/note-login.ts';
import { createApp, type Needs } from './app.ts';
import { createBodyRoom } from './http/body/body-room.ts';
import { createHoldAnswer, heaviestAnswer } from './http/body/hold-answer.ts';
import { createReadBody, heaviestBody } from './http/body/read-body.ts';
import { createReadJson } from './http/body/read-json.ts';
import { createClientAddress } from './http/client-address.ts';
import { type ListeningServer, listen } from './http/server/listen.ts';
import { createAdmission } from './intake/admission.ts';
import { createEstimateJob } from './intake/estimate-job.ts';
import { createJudgeForeign } from './intake/foreign/judge-foreign.ts';
import { createJudgeModel } from './intake/judge-model.ts';
import { createResolveAccount } from './intake/resolve-account.ts';
import { createStopWork } from './intake/stop-work.ts';
import { createDefaultLimits } from './intake/stored-bytes.ts';
import { createSubmitJob } from './intake/submit-job.ts';
import { createJudgeTranslated } from './intake/translation/judge-translated.ts';
import { createAcceptBatch } from './intake/uploads/accept-batch.ts';
import { createUploadSlots } from './intake/uploads/upload-slots.ts';
import { createWaitingRoom } from './intake/waiting-room.ts';
import { createAttending } from './surfaces/foreign/attendance.ts';
import { createAwaitJob } from './surfaces/foreign/await-job.ts';
import { createJudgeCall } from './surfaces/foreign/judge-call.ts';
import { createStreamAnswer } from './surfaces/foreign/stream-answer.ts';
import { createTakeRequest } from './surfaces/native/take-request.ts';
import { createTakeTurns } from './surfaces/native/take-turns.ts';

export const startApi = async (
  config: Config,
  { lifecycle, log, onUnfit }: { lifecycle: Lifecycle; log: Log; onUnfit: (error: UnfitServer) => void },
): Promise<ListeningServer> => {
  const { shards, url } = config.redis;
  const redis = connectForRequests(url);
  lifecycle.onStop('redis', () => redis.disconnect());
  const clock = createRedisClock(redis);
  const news = connectForNews(url);
  lifecycle.onStop('redis news', () => news.disconnect());

  const registry = createMetricsRegistry('api');
  const run = timeScripts(createCommands(redis, functionsRefused(log)), registry);
  const usage = createUsageStore({ run, shards });
  const queues = createQueues({ redis, shards, log });
  lifecycle.onStop('queues', queues.close);

  const shredding = await openShredding(config.shredding, { lifecycle, log });
  const dataKeys = await openDataKeys(config.keyEncryption, { lifecycle, log });
  const { retentionMs } = config.jobs;
  const bodySealer = createBodySealer(dataKeys);
  const bodies = createBodyStore({ redis, sealer: bodySealer, shards });
  const jobs = createJobStore({ redis, run, shards, retentionMs, bodies });
  const secrets = createPlatformKeySecrets(config.peppers);
  const platformKeys = createPlatformKeyStore({ redis, run, secrets, actor: 'operator' });

  const jobIds = createJobIds({ peppers: config.peppers });
  const batchIds = createBatchIds({ peppers: config.peppers });
  const batches = createBatchStore({ redis, run, shards, retentionMs, ids: batchIds });
  const raised = createRaised(createSchemaStore({ redis, shards }));
  const admission = createAdmission({
    verify: async () => {
      await verifyStorage(redis, { shards, production: config.production });
      await verifyMode(redis, config);
      await noteUsedPeppers(redis, pepperMarks(config.peppers));
      await clock.sync();
      await raised.look();
    },
    readMemory: async () => {
      await clock.sync();
      await raised.look();
      return examineServer(redis, config);
    },
    onUnfit,
    log,
  });
  lifecycle.onStop('admission', admission.close);
  await admission.judged;

  const tracer = createTracer({ endpoint: config.traceEndpoint, process: 'api', log });
  lifecycle.onStop('traces', tracer.close);

  const apiProcess = randomUUID().slice(0, 8);
  const waitingRoom = createWaitingRoom({
    id: apiProcess,
    maxWaitMs: config.http.maxWaitMs,
    subscribe: (onMessage) => subscribe(news, { shards, channel: 'NEWS', id: apiProcess }, onMessage),
  });
  const accepting = {
    admission,
    queues,
    requestDigests: createRequestDigests(config.peppers),
    config,
    now: clock.now,
    log,
  };
  const resolveAccount = createResolveAccount({
    fingerprints: createFingerprints(config.peppers),
    sealer: createSealer({ dataKeys, purpose: USER_KEY_PURPOSE, shredding }),
  });
  const judgeModel = createJudgeModel(createPrices(config.priceFile), config.platformModels);
  const estimateJob = createEstimateJob(judgeModel);
  const { maxBodyBytes, bodyMemoryBytes } = config.http;
  const room = createBodyRoom({
    memoryBytes: bodyMemoryBytes,
    heaviest: Math.max(heaviestBody(maxBodyBytes), heaviestAnswer(LONGEST_ANSWER_BYTES)),
  });
  const readBody = createReadBody({ maxBodyBytes, room });
  const holdAnswer = createHoldAnswer(room);
  const waits = createWaitStore({ run, bodies, shards });
  const attending = createAttending({ waits, waitingRoom, config, now: clock.now });
  const submitJob = createSubmitJob({
    ...accepting,
    acceptJob: createAcceptJob({ run, bodies, shards, retentionMs }),
    isRaised: raised.isRaised,
    jobs,
    jobIds,
    waitingRoom,
  });
  const acceptBatch = createAcceptBatch({ ...accepting, batches, batchIds });
  const client = createClientAddress(config.http);
  const scheduler = createSchedulerStore({
    redis,
    run,
    retentionMs,
    defaultLimits: config.limits,
  });
  const metrics = createApiMetrics({ registry, measure: () => scheduler.measure(shards), log });
  if (config.metricsPort !== null) {
    const metricsServer = await serveMetrics({
      host: config.http.host,
      port: config.metricsPort,
      render: metrics.render,
      log,
    });
    lifecycle.onStop('metrics', metricsServer.close);
  }

  const audit = createAuditStore({ redis, run, shards });
  const work = createWorkStore({ redis, run, shards, retentionMs });
  let stopping = false;
  const appNeeds: Needs = {
    config,
    authenticator: createAuthenticator({
      platformKeys: createPlatformKeys(config.platformKeys, config.peppers),
      secrets,
      store: platformKeys,
      defaultLimits: createDefaultLimits(config.limits, admission.maxMemory),
      now: clock.now,
      elapsed: () => performance.now(),
    }),
    failedLogins: createFailedLogins({ perMinute: config.http.authFailuresPerMinute, addressOf: client.addressOf }),
    callMeter: createCallMeter(),
    client,
    tenants: createTenantStore({ redis, run, shards, actor: 'operator' }),
    platformKeys,
    work,
    stopWork: createStopWork({ work, queues, metrics }),
    audit,
    noteLogin: createNoteLogin({ audit, log }),
    scheduler,
    jobs,
    jobIds,
    queues,
    usage,
    deliveries: createDeliveryStore({ redis, run, shards }),
    webhookSecrets: createWebhookSecretStore({
      redis,
      run,
      shards,
      sealer: createSealer({ dataKeys, purpose: WEBHOOK_SECRET_PURPOSE, shredding: null }),
      now: Date.now,
    }),
    batches,
    batchIds,
    budgets: createBudgetStore({ run, shards }),
    submitJob,
    acceptBatch,
    resolveAccount,
    estimateJob,
    judgeCall: createJudgeCall({
      judgeForeign: createJudgeForeign(judgeModel),
      judgeTranslated: createJudgeTranslated({ estimateJob, platformModel: config.platformModel }),
      resolveAccount,
    }),
    readBody,
    holdAnswer,
    attending,
    awaitJob: createAwaitJob({ attending, waits, holdAnswer, now: clock.now }),
    streamAnswer: createStreamAnswer({
      attending,
      followEvents: createEventReaders({ redis, news, sealer: bodySealer, shards }),
      waits,
      holdAnswer,
    }),
    readJson: createReadJson(readBody),
    takeRequest: createTakeRequest(createRequestStore({ run, shards }), admission),
    takeTurns: createTakeTurns(),
    uploadSlots: createUploadSlots(),
    waitingRoom,
    tracer,
    metrics,
    isStopping: () => stopping,
    isReady: () =>
      redis.ping().then(
        () => admission.isReady(),
        () => false,
      ),
    now: clock.now,
    log,
  };
  const { host, port, adminPort, idleMs } = config.http;
  const noted = { host, idleMs, log, onRefused: metrics.requestRefused };
  if (adminPort !== null && config.adminToken !== null) {
    const adminApp = createApp(appNeeds, { tenants: false, operator: true });
    const adminServer = await listen(adminApp, { ...noted, port: adminPort });
    lifecycle.onStop('admin server', () => adminServer.close(config.drainMs));
    log.info('admin_listening', { host: adminServer.host, port: adminServer.port });
  }
  const app = createApp(appNeeds, { tenants: true, operator: adminPort === null });
  const server = await listen(app, { ...noted, port });
  lifecycle.onStop('http server', async () => {
    stopping = true;
    // Balancers go on sending until they see that it is not ready.
    await delay(config.http.unreadyMs);
    const closed = server.close(config.drainMs);
    waitingRoom.close();
    await closed;
  });
  log.info('api_listening', { host: server.host, port: server.port, sandbox: config.sandbox });
  return server;
};
