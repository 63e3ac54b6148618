/** What a worker process is made of, in the order in which it is built; closed in the reverse order. */
import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { createProviders } from '../providers/registry.ts';
import { describeError, type Log } from '../shared/domain/log.ts';
import { ABILITIES } from '../shared/domain/needs.ts';
import { createPrices } from '../shared/domain/prices/pricing.ts';
import { createBatchIds } from '../shared/keys/digests/genuine-ids.ts';
import { pepperMarks } from '../shared/keys/digests/pepper-marks.ts';
import { createSealer, USER_KEY_PURPOSE } from '../shared/keys/encryption/seal.ts';
import { createBodySealer } from '../shared/keys/encryption/seal-body.ts';
import { createAuditSeals } from '../shared/keys/signing/audit-seals.ts';
import type { Config } from '../shared/process/config/config.ts';
import { every } from '../shared/process/every.ts';
import { functionsRefused } from '../shared/process/functions-refused.ts';
import { openDataKeys } from '../shared/process/keys/data-keys.ts';
import { openShredding } from '../shared/process/keys/shredding.ts';
import type { Lifecycle } from '../shared/process/lifecycle.ts';
import { createMetricsRegistry, timeScripts } from '../shared/process/metrics/registry.ts';
import { serveMetrics } from '../shared/process/metrics/serve-metrics.ts';
import { createWorkerMetrics } from '../shared/process/metrics/worker-metrics.ts';
import { createTracer } from '../shared/process/tracing/tracer.ts';
import { openAnchors } from '../shared/storage/audit/audit-anchors.ts';
import { createAuditStore } from '../shared/storage/audit/audit-store.ts';
import { createBatchStore } from '../shared/storage/batches/batch-store.ts';
import { createBodyStore } from '../shared/storage/bodies/body-store.ts';
import { createLibraries } from '../shared/storage/commands/run/libraries.ts';
import { createCommands } from '../shared/storage/commands/run/run-commands.ts';
import { createEventWriters } from '../shared/storage/events/event-writer.ts';
import { createAttemptStore } from '../shared/storage/jobs/attempt-store.ts';
import { createJobStore } from '../shared/storage/jobs/job-store.ts';
import { createSchedulerStore } from '../shared/storage/jobs/scheduler-store.ts';
import { createQueues } from '../shared/storage/queue/queues.ts';
import { awaitServer } from '../shared/storage/redis/await-server.ts';
import { connectForNews, connectForWork } from '../shared/storage/redis/client.ts';
import { createRedisClock } from '../shared/storage/redis/clock.ts';
import { examineServer, UnfitServer, verifyMode } from '../shared/storage/redis/server.ts';
import { subscribe } from '../shared/storage/redis/subscribe.ts';
import { verifyStorage } from '../shared/storage/schema/verify-storage.ts';
import { noteUsedPeppers } from '../shared/storage/secrets/used-peppers.ts';
import { createWorkStore } from '../shared/storage/tenants/work-store.ts';
import { createDeliveryStore } from '../shared/storage/webhooks/delivery-store.ts';
import { createWebhookSecretStore, WEBHOOK_SECRET_PURPOSE } from '../shared/storage/webhooks/webhook-secret-store.ts';
import { createBodyMemory } from './attempts/body-memory.ts';
import { jobAttempts } from './attempts/job-attempts.ts';
import { createRunningJobs } from './attempts/running-jobs.ts';
import { deliveryAttempts } from './deliveries/delivery-attempts.ts';
import { createNetwork } from './deliveries/network.ts';
import { createReadSubject } from './deliveries/read-subject.ts';
import { createSendWebhook } from './deliveries/send-webhook.ts';
import { createPipeline } from './pipeline/pipeline.ts';
import { startQueueWorkers } from './queue/start-workers.ts';
import { createEndStoppedWork } from './upkeep/end-stopped-work.ts';
import { forgetLibraries } from './upkeep/forget-libraries.ts';
import { keepAlive } from './upkeep/keep-alive.ts';
import { keepMoving } from './upkeep/keep-moving.ts';
import { resealSecrets } from './upkeep/reseal-secrets.ts';
import { sealAudit } from './upkeep/seal-audit.ts';

/** Between two looks at whether the server is still one to run on. */
const EXAMINE_MS = 10_000;

/** Deliveries that a worker process has under way at once, beside its calls. */
const DELIVERIES_AT_ONCE = 100;

/** Waits for Redis for as long as it takes; rejects with UnfitServer where the server cannot be used. */
export const startWorker = async (
  config: Config,
  { lifecycle, log }: { lifecycle: Lifecycle; log: Log },
): Promise<void> => {
  const { shards } = config.redis;
  const retentionMs = config.jobs.retentionMs;
  const slotsAShard = Math.ceil(config.workerConcurrency / shards);
  const deliverySlotsAShard = Math.ceil(DELIVERIES_AT_ONCE / shards);
  const worker = randomUUID().slice(0, 8);
  // They open the doors of the API, and a worker has none.
  for (const { key } of config.platformKeys) key.forget();
  config.adminToken?.forget();

  const anchors = config.auditAnchorFile === null ? null : openAnchors(config.auditAnchorFile);
  const redis = connectForWork(config.redis.url);
  lifecycle.onStop('redis', () => redis.disconnect());
  const verify = async (): Promise<void> => {
    await verifyStorage(redis, { shards, production: config.production });
    await verifyMode(redis, config);
    await noteUsedPeppers(redis, pepperMarks(config.peppers));
  };
  await awaitServer(verify, { url: config.redis.url, log });

  const registry = createMetricsRegistry('worker');
  if (config.metricsPort !== null) {
    const { host } = config.http;
    const server = await serveMetrics({ host, port: config.metricsPort, render: () => registry.metrics(), log });
    lifecycle.onStop('metrics', server.close);
  }

  const clock = createRedisClock(redis);
  await clock.sync();
  const news = connectForNews(config.redis.url);
  lifecycle.onStop('redis news', () => news.disconnect());

  // What is queued on a server that became unfit is still worked off: to stop would lose more.
  const examining = every(
    EXAMINE_MS,
    async () => {
      await examineServer(redis, config);
    },
    (error) => log.warn(error instanceof UnfitServer ? 'redis_unfit' : 'redis_away', describeError(error)),
  );
  lifecycle.onStop('examination', examining.stop);

  const metrics = createWorkerMetrics(registry);
  const run = timeScripts(createCommands(redis, functionsRefused(log)), registry);
  const attempts = createAttemptStore({ run, retentionMs, abilities: ABILITIES });
  const scheduler = createSchedulerStore({ redis, run, retentionMs, defaultLimits: config.limits });
  const deliveries = createDeliveryStore({ redis, run, shards });
  const queues = createQueues({ redis, shards, log });
  lifecycle.onStop('queues', queues.close);

  const tracer = createTracer({ endpoint: config.traceEndpoint, process: 'worker', log });
  lifecycle.onStop('traces', tracer.close);

  const shredding = await openShredding(config.shredding, { lifecycle, log });
  const dataKeys = await openDataKeys(config.keyEncryption, { lifecycle, log });
  const providers = createProviders(config.providers);
  lifecycle.onStop('providers', async () => {
    for (const provider of Object.values(providers)) await provider.close();
  });

  const running = createRunningJobs();
  // A message may be lost with its connection: the heartbeat brings the same ids.
  subscribe(news, { shards, channel: 'ABORTS' }, (beginning) => running.abort(beginning, 'cancelled'));

  const sealer = createSealer({ dataKeys, purpose: USER_KEY_PURPOSE, shredding });
  const bodySealer = createBodySealer(dataKeys);
  const bodies = createBodyStore({ redis, sealer: bodySealer, shards });
  const prices = createPrices(config.priceFile);
  let marks = 0;
  const pipeline = { queues, newMark: () => `${worker}.${++marks}`, log };
  const runJob = createPipeline(
    jobAttempts({
      attempts,
      bodies,
      openEvents: createEventWriters({ run, sealer: bodySealer, shards }),
      bodyMemory: createBodyMemory(config.http.bodyMemoryBytes),
      sealer,
      providers,
      prices,
      running,
      policy: config.jobs,
      tracer,
      metrics,
      now: clock.now,
      random: Math.random,
      log,
    }),
    pipeline,
  );
  const workers = startQueueWorkers({ queue: 'completions', redis, shards, slotsAShard, run: runJob, log });

  const { allowPrivate, retryScheduleMs } = config.webhooks;
  const stopping = new AbortController();
  // Each delivery under way listens.
  setMaxListeners(0, stopping.signal);
  const secrets = createWebhookSecretStore({
    redis,
    run,
    shards,
    sealer: createSealer({ dataKeys, purpose: WEBHOOK_SECRET_PURPOSE, shredding: null }),
    now: clock.now,
  });
  if (dataKeys.hasOlder) lifecycle.onStop('reseal', resealSecrets({ secrets, log }).stop);
  const forgetting = forgetLibraries({ libraries: createLibraries({ redis, now: clock.now }), log });
  lifecycle.onStop('libraries', forgetting.stop);
  const runDelivery = createPipeline(
    deliveryAttempts({
      deliveries,
      secrets,
      readSubject: createReadSubject({
        jobs: createJobStore({ redis, run, shards, retentionMs, bodies }),
        batches: createBatchStore({
          redis,
          run,
          shards,
          retentionMs,
          ids: createBatchIds({ peppers: config.peppers }),
        }),
      }),
      send: createSendWebhook({ allowPrivate, network: createNetwork({ allowPrivate }), now: clock.now, log }),
      tracer,
      metrics,
      scheduleMs: retryScheduleMs,
      stopping: stopping.signal,
      now: clock.now,
      random: Math.random,
    }),
    pipeline,
  );
  const deliverers = startQueueWorkers({
    queue: 'deliveries',
    redis,
    shards,
    slotsAShard: deliverySlotsAShard,
    run: runDelivery,
    log,
  });
  const work = createWorkStore({ redis, run, shards, retentionMs });
  const moving = keepMoving({
    scheduler,
    deliveries,
    endStoppedWork: createEndStoppedWork({ work, queues, metrics }),
    queues,
    metrics,
    worker,
    shards,
    deliverySlotsAShard,
    log,
  });
  lifecycle.onStop('upkeep', moving.stop);
  const sealing = sealAudit({
    audit: createAuditStore({ redis, run, shards }),
    seals: createAuditSeals(config.peppers),
    anchors,
    worker,
    retentionMs: config.auditRetentionMs,
    log,
  });
  lifecycle.onStop('audit', sealing.stop);
  const alive = keepAlive({
    clock,
    scheduler,
    worker,
    shards,
    slotsAShard,
    abort: (beginning) => running.abort(beginning, 'cancelled'),
    onBeat: () => {
      if (config.aliveFile) writeFileSync(config.aliveFile, '');
    },
    log,
  });
  // Closed first: nothing new is meant for this worker, and what does not end soon goes back to its lane.
  lifecycle.onStop('workers', async () => {
    running.drain();
    const closed = Promise.all([workers.close(), deliverers.close()]);
    // A call that is handed back may be billed twice. Redis may be away, and what runs still gets its time.
    await Promise.all([alive.leave(), Promise.race([closed, delay(config.drainMs)])]);
    running.abortAll('shutdown');
    stopping.abort();
    await closed;
    await alive.stop();
  });
  log.info('worker_started', { worker, count: config.workerConcurrency, sandbox: config.sandbox });
};
