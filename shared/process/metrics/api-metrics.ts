/** What an API process counts, and the state of the queue, which it reads at each scrape. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { JobErrorCode, RequestErrorCode } from '../../domain/errors.ts';
import { describeError, type Log } from '../../domain/log.ts';
import type { QueueMeasures } from '../../storage/jobs/scheduler-store.ts';

export type ApiMetrics = {
  /** `route` is a pattern of ours; '' where none was met. */
  requestAnswered: (request: {
    method: string;
    route: string;
    code: RequestErrorCode | JobErrorCode | 'ok';
    ms: number;
  }) => void;
  /** A request that no route saw. */
  requestRefused: (code: RequestErrorCode) => void;
  waitingJobsCancelled: (count: number) => void;
  render: () => Promise<string>;
};

export const createApiMetrics = ({
  registry,
  measure,
  log,
}: {
  registry: Registry;
  /** Of all shards together. */
  measure: () => Promise<QueueMeasures>;
  log: Log;
}): ApiMetrics => {
  const registers = [registry];
  const requests = new Counter({
    name: 'gateway_requests_total',
    help: 'Requests by what they were answered with: ok, or the code of the error.',
    labelNames: ['method', 'route', 'code'] as const,
    registers,
  });
  const seconds = new Histogram({
    name: 'gateway_request_seconds',
    help: 'Requests from their headers to their answer, waiting included.',
    labelNames: ['route'] as const,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 30, 60],
    registers,
  });
  const cancelled = new Counter({
    name: 'gateway_jobs_finished_total',
    help: 'Jobs that became final in this process; those that ended while they waited have no provider and no credential.',
    labelNames: ['status', 'provider', 'credential'] as const,
    registers,
  });
  const queue = createQueueGauges(registry);

  return {
    requestAnswered: ({ method, route, code, ms }) => {
      requests.inc({ method, route, code });
      seconds.observe({ route }, ms / 1_000);
    },
    requestRefused: (code) => requests.inc({ method: '', route: '', code }),
    waitingJobsCancelled: (count) => cancelled.inc({ status: 'cancelled', provider: '', credential: '' }, count),
    render: async () => {
      // Without Redis nothing is known of the queue, and nothing is said of it.
      const measures = await measure().catch((error: unknown) => {
        log.debug('measure_failed', describeError(error));
        return null;
      });
      queue(measures);
      return registry.metrics();
    },
  };
};

const createQueueGauges = (registry: Registry) => {
  const gauge = <Label extends string>(name: string, help: string, ...labelNames: Label[]): Gauge<Label> =>
    new Gauge({
      name,
      help: `${help} Of all processes together: do not add them up.`,
      labelNames,
      registers: [registry],
    });
  const waiting = gauge('gateway_queue_waiting', 'Accepted jobs that wait for their turn.', 'class');
  const oldest = gauge('gateway_queue_oldest_seconds', 'Since when the oldest job in a lane waits.', 'class');
  const handedOff = gauge('gateway_queue_handed_off', 'Jobs at the workers, or on their way.', 'class');
  const delayed = gauge('gateway_queue_delayed', 'Waiting jobs that are in the pause before a retry.');
  const parked = gauge('gateway_queue_parked_lanes', 'Lanes that a provider’s rate limit holds back.');
  const slots = gauge('gateway_worker_slots', 'Calls that the living workers can run at once.');
  const thresholds = new Counter({
    name: 'gateway_budget_thresholds_total',
    help: 'Monthly budgets of tenants that reached so many percent; 100 is the first call that did not fit. Of all processes together: do not add them up.',
    labelNames: ['ledger', 'percent'] as const,
    registers: [registry],
  });

  const answers = gauge(
    'gateway_queue_shard_answers',
    'Whether a shard answered: 0 means that it is missing in the other figures.',
    'shard',
  );

  return (measures: QueueMeasures | null): void => {
    for (const each of [answers, waiting, oldest, handedOff, delayed, parked, slots, thresholds]) each.reset();
    if (measures === null) {
      // A reset gauge without labels would say 0.
      for (const each of [delayed, parked, slots]) each.remove();
      return;
    }
    for (const [shard, answered] of measures.answered.entries()) answers.set({ shard }, answered ? 1 : 0);
    if (!measures.answered.includes(true)) {
      for (const each of [delayed, parked, slots]) each.remove();
      return;
    }
    for (const name of ['interactive', 'batch'] as const) {
      const ofClass = measures[name];
      waiting.set({ class: name }, ofClass.waiting);
      oldest.set({ class: name }, ofClass.oldestMs / 1_000);
      handedOff.set({ class: name }, ofClass.handedOff);
    }
    delayed.set(measures.delayed);
    parked.set(measures.parkedLanes);
    slots.set(measures.workerSlots);
    for (const { ledger, percent, told } of measures.budgetThresholds) thresholds.inc({ ledger, percent }, told);
  };
};
