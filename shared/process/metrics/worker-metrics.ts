/** What a worker counts: calls, what became of jobs, deliveries. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Provider } from '../../../providers/catalogue.ts';
import type { Account } from '../../domain/account.ts';

type CalledAccount = Pick<Account, 'provider' | 'credential'>;

import type { FinalStatus } from '../../domain/jobs/states.ts';

export type WorkerMetrics = {
  callStarted: () => void;
  callEnded: (provider: Provider, ms: number) => void;
  attemptSettled: (account: CalledAccount, outcome: string) => void;
  /** `account`: of the attempt that ended it; null where it ended without one. */
  jobsFinished: (status: FinalStatus, account: CalledAccount | null, count?: number) => void;
  deliverySettled: (outcome: string, ms: number) => void;
};

export const createWorkerMetrics = (registry: Registry): WorkerMetrics => {
  const registers = [registry];
  const running = new Gauge({
    name: 'gateway_calls_running',
    help: 'Provider calls that run in this process.',
    registers,
  });
  const calls = new Histogram({
    name: 'gateway_call_seconds',
    help: 'Provider calls from their start to their outcome, whatever it is.',
    labelNames: ['provider'] as const,
    buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600],
    registers,
  });
  const attempts = new Counter({
    name: 'gateway_attempts_total',
    help: 'Attempts by their outcome.',
    labelNames: ['provider', 'credential', 'outcome'] as const,
    registers,
  });
  const jobs = new Counter({
    name: 'gateway_jobs_finished_total',
    help: 'Jobs that became final in this process; those that ended while they waited have no provider and no credential.',
    labelNames: ['status', 'provider', 'credential'] as const,
    registers,
  });
  const deliveries = new Histogram({
    name: 'gateway_delivery_seconds',
    help: 'Attempts to deliver an event to a webhook, by what came of them.',
    labelNames: ['outcome'] as const,
    buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15],
    registers,
  });
  return {
    callStarted: () => running.inc(),
    callEnded: (provider, ms) => {
      running.dec();
      calls.observe({ provider }, ms / 1_000);
    },
    attemptSettled: ({ provider, credential }, outcome) => attempts.inc({ provider, credential, outcome }),
    jobsFinished: (status, account, count = 1) =>
      jobs.inc({ status, provider: account?.provider ?? '', credential: account?.credential ?? '' }, count),
    deliverySettled: (outcome, ms) => deliveries.observe({ outcome }, ms / 1_000),
  };
};
