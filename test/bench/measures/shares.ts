/** Whether tenants get of the workers' time what their weights say, however long their calls are. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Batch } from '../../../shared/domain/batches/schema.ts';
import { operate } from '../../support/clients/operator.ts';
import { clockMs } from '../figures/clock.ts';
import type { Api } from '../ground.ts';
import { type Bench, type Measure, row } from '../measure.ts';
import { callOf } from '../processes/request.ts';

const SLOTS = 40;
const LOOK_MS = 100;

type Share = { weight: number; callMs: number };

const CASES: { what: string; tenants: readonly Share[] }[] = [
  { what: 'weights 1, 2 and 3, calls of 0.5 s', tenants: [1, 2, 3].map((weight) => ({ weight, callMs: 500 })) },
  {
    what: 'weights 1 and 2, calls of 0.1 s and 10 s',
    tenants: [
      { weight: 1, callMs: 100 },
      { weight: 2, callMs: 10_000 },
    ],
  },
];

export const shares: Measure = {
  name: 'shares',
  title: `Shares: tenants whose batches never run empty, on one worker process of ${SLOTS} slots`,
  notes: [
    'Slot-seconds over a minute: lines in progress, as GET /v1/batches/{id} says ten times a second. Off: how far the furthest tenant lies from the part that its weight gives it, as a share of that part.',
  ],
  run: async (bench) => {
    const rows = [];
    for (const { what, tenants } of CASES) {
      bench.progress(what);
      const { off, calls } = await share(bench, tenants);
      rows.push(
        row(`${what}: off`, '%', [off], { aim: { of: 'value', is: 'at most', limit: 10 } }),
        row('calls at once meanwhile, mean', 'calls', [calls]),
      );
      await bench.ground.close();
    }
    return rows;
  },
};

const share = async ({ ground, quick }: Bench, tenants: readonly Share[]) => {
  const load = ground.load();
  const redis = await ground.redis();
  const providers = await ground.providers({ record: false });
  const api = await ground.api(redis, { providers });
  await ground.worker(redis, providers, { slots: SLOTS });
  const operator = operate({ apis: [api] });
  const settleMs = quick ? 10_000 : 20_000;
  const windowMs = quick ? 20_000 : 60_000;
  const batches: { key: string; id: string }[] = [];
  for (const { weight, callMs } of tenants) {
    const { secret: key } = await operator.issue(await operator.tenant({ weight }));
    const lines = Math.ceil((SLOTS * (settleMs + windowMs)) / callMs) + SLOTS;
    const plan = { url: api.url, key, template: callOf(callMs), first: 0, userKeys: 0, lines };
    batches.push({ key, id: (await load.call('uploadBatch', plan)).id });
  }
  // Until the scheduler has measured the calls.
  await delay(settleMs);
  const held = batches.map(() => 0);
  const untilMs = clockMs() + windowMs;
  let looks = 0;
  for (; clockMs() < untilMs; looks++) {
    const running = await Promise.all(batches.map((batch) => linesInProgress(api, batch)));
    for (const [index, count] of running.entries()) held[index] = (held[index] ?? 0) + count;
    await delay(LOOK_MS);
  }
  const heldInAll = sum(held);
  const weights = sum(tenants.map(({ weight }) => weight));
  const offs = tenants.map(({ weight }, index) => ((held[index] ?? 0) / heldInAll / (weight / weights) - 1) * 100);
  return { off: Math.max(...offs.map(Math.abs)), calls: heldInAll / looks };
};

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

const linesInProgress = async ({ url }: Api, { key, id }: { key: string; id: string }): Promise<number> => {
  const response = await fetch(`${url}/v1/batches/${id}`, { headers: { 'x-api-key': key } });
  const { request_counts } = (await response.json()) as Batch;
  if (request_counts.queued === 0) throw new Error('a batch ran empty');
  return request_counts.in_progress;
};
