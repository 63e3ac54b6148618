/** Events of many jobs to an endpoint that fails at random, while workers and Redis are killed; afterwards each event is accounted for. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Job } from '../../../shared/domain/jobs/schema.ts';
import type { Delivery } from '../../../shared/domain/webhooks/schema.ts';
import { refusedBy } from '../../support/clients/verify-webhook.ts';
import { expectInvariants } from '../../support/invariants/invariants.ts';
import { type Received, startReceiver } from '../../support/network/receiver.ts';
import { startGateway, type TestGateway } from '../../support/processes/gateway.ts';
import { startProcess } from '../../support/processes/process.ts';
import { createRandom } from '../../support/random.ts';
import { until } from '../../support/until.ts';

export type Plan = { seed: number; jobs: number; jobsASecond: number; workerKills: number; redisKills: number };

export type Outcome = {
  seconds: number;
  /** Requests that the endpoint got, and those of them that it answered with 2xx. */
  requests: number;
  taken: number;
  /** Requests with 2xx beyond one for each event. */
  duplicates: number;
  delivered: number;
  failed: number;
  violations: string[];
};

/** How often the endpoint fails. */
const FAILURES = 0.3;
/** So short that some events fail for good: 0.3⁵. */
const SCHEDULE_SECONDS = '1,1,2,2';
const READ_AT_ONCE = 50;

export const runWebhookChaos = async (plan: Plan, say: (text: string) => void): Promise<Outcome> => {
  const random = createRandom(plan.seed);
  const startedMs = performance.now();
  const violations: string[] = [];
  const refused: Promise<void>[] = [];
  const secrets: string[] = [];
  const receiver = await startReceiver((received) => {
    // At once, as a receiver does: it refuses what is some minutes old.
    refused.push(
      refusedBy(received, secrets).then((names) => {
        for (const name of names) violations.push(`${name} refuses a request of ${received.id}`);
      }),
    );
    return random.next() < FAILURES ? random.pick([400, 429, 500, 503]) : 204;
  });
  const gateway = await startGateway({
    workers: 2,
    env: { WEBHOOK_ALLOW_PRIVATE: 'true', WEBHOOK_RETRY_SCHEDULE_SECONDS: SCHEDULE_SECONDS },
  });
  try {
    const { body } = await gateway.call('GET', '/v1/webhooks/secret');
    secrets.push((body as { secret: string }).secret);
    const killing = kill(gateway, plan, random, say);
    const ids = await Promise.all(
      Array.from({ length: plan.jobs }, async (_, number) => {
        await delay((number / plan.jobsASecond) * 1_000);
        return submit(gateway, `${receiver.url}/hook`, number);
      }),
    );
    await killing;
    const deliveries = await allEnded(gateway, ids);
    await expectInvariants(gateway.redis.url).catch((error: unknown) => violations.push(String(error)));
    await Promise.all(refused);
    const final = new Map<string, Job>();
    for (let from = 0; from < ids.length; from += READ_AT_ONCE) {
      const some = await Promise.all(ids.slice(from, from + READ_AT_ONCE).map((id) => gateway.read(id)));
      for (const job of some) final.set(job.id, job);
    }
    const counts = check(deliveries, receiver.received, final, violations);
    return { seconds: (performance.now() - startedMs) / 1_000, ...counts, violations };
  } finally {
    await gateway.stop();
    await receiver.close();
  }
};

/** Sends the same request under the same idempotency key until it is accepted, as a careful client does. One in ten fails. */
const submit = async (gateway: TestGateway, url: string, number: number): Promise<string> => {
  for (;;) {
    const answer = await gateway
      .call('POST', '/v1/complete', {
        headers: { 'Idempotency-Key': `webhook-${number}` },
        body: {
          messages: [{ role: 'user', content: `event ${number}.${number % 10 === 0 ? ' sandbox:status=400' : ''}` }],
          webhook: { url },
        },
      })
      .catch(() => null);
    if (answer && (answer.status === 202 || answer.status === 200)) return (answer.body as Job).id;
    if (answer && answer.status !== 503) throw new Error(`refused: ${answer.status} ${JSON.stringify(answer.body)}`);
    await delay(200);
  }
};

const kill = async (
  gateway: TestGateway,
  { jobs, jobsASecond, workerKills, redisKills }: Plan,
  random: ReturnType<typeof createRandom>,
  say: (text: string) => void,
): Promise<void> => {
  const durationMs = (jobs / jobsASecond) * 1_000;
  const faults = [...Array<'worker'>(workerKills).fill('worker'), ...Array<'redis'>(redisKills).fill('redis')]
    .map((what) => ({ what, atMs: durationMs * random.between(0.1, 1) }))
    .toSorted((a, b) => a.atMs - b.atMs);
  const startedMs = performance.now();
  for (const { what, atMs } of faults) {
    await delay(Math.max(0, startedMs + atMs - performance.now()));
    say(`  ${((performance.now() - startedMs) / 1_000).toFixed(1).padStart(6)} s  ${what} SIGKILL`);
    if (what === 'redis') {
      await gateway.redis.kill();
      await gateway.redis.restart();
    } else {
      const [victim] = gateway.workers.splice(random.below(gateway.workers.length), 1);
      victim?.signal('SIGKILL');
      gateway.workers.push(startProcess('worker/main.ts', gateway.env));
    }
  }
};

/** All deliveries, when each of these jobs has one and none is pending. */
const allEnded = (gateway: TestGateway, ids: readonly string[]): Promise<Map<string, Delivery>> =>
  until(
    'every delivery has ended',
    async () => {
      const pending = await gateway.call('GET', '/v1/webhooks/deliveries?status=pending&limit=1');
      if ((pending.body as { data: unknown[] }).data.length > 0) return null;
      const all = new Map<string, Delivery>();
      let query = '?limit=100';
      for (;;) {
        const { body } = await gateway.call('GET', `/v1/webhooks/deliveries${query}`);
        const { data, next_cursor } = body as { data: Delivery[]; next_cursor: string | null };
        for (const each of data) all.set(each.job_id ?? '', each);
        if (next_cursor === null) break;
        query = `?limit=100&after=${next_cursor}`;
      }
      return ids.every((id) => (all.get(id)?.status ?? 'pending') !== 'pending') && all;
    },
    { withinMs: 120_000, everyMs: 1_000 },
  );

const check = (
  deliveries: ReadonlyMap<string, Delivery>,
  received: readonly Received[],
  jobs: ReadonlyMap<string, Job>,
  violations: string[],
): Pick<Outcome, 'requests' | 'taken' | 'duplicates' | 'delivered' | 'failed'> => {
  const byEvent = Map.groupBy(received, ({ id }) => id);
  let duplicates = 0;
  for (const [id, job] of jobs) {
    const delivery = deliveries.get(id);
    const requests = byEvent.get(id.replace('job_', 'evt_')) ?? [];
    const taken = requests.filter(({ status }) => status === 204).length;
    duplicates += Math.max(0, taken - 1);
    if (!delivery) violations.push(`${id} has no delivery`);
    if (delivery?.status === 'delivered' && taken === 0) violations.push(`${id} is said to be delivered and never was`);
    if (new Set(requests.map(({ body }) => body)).size > 1) violations.push(`${id} was told in two ways`);
    for (const { body } of requests.slice(0, 1)) {
      const event = JSON.parse(body) as { type: string; data: Job };
      if (event.type !== `job.${job.status}` || event.data.id !== id || event.data.status !== job.status) {
        violations.push(`${id} is ${job.status} and was told as ${event.type}`);
      }
    }
    byEvent.delete(id.replace('job_', 'evt_'));
  }
  for (const id of byEvent.keys()) violations.push(`${id} tells of no job that was accepted`);
  const ends = [...deliveries.values()];
  return {
    requests: received.length,
    taken: received.filter(({ status }) => status === 204).length,
    duplicates,
    delivered: ends.filter(({ status }) => status === 'delivered').length,
    failed: ends.filter(({ status }) => status === 'failed').length,
  };
};
