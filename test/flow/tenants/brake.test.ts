/** The emergency brake: what an operator stops does not start any more, within seconds. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Batch } from '../../../shared/domain/batches/schema.ts';
import type { Job } from '../../../shared/domain/jobs/schema.ts';
import type { IssuedPlatformKey, Tenant, TenantWork } from '../../../shared/domain/tenants/schema.ts';
import { key, REGISTRY_TAG } from '../../../shared/storage/redis/names.ts';
import { acceptedBatch, finishedBatch, lines, readBatch, readResults, upload } from '../../support/clients/batches.ts';
import { ADMIN_TOKEN, operate } from '../../support/clients/operator.ts';
import { expectInvariants } from '../../support/invariants/invariants.ts';
import { startGateway, type TestGateway, userKey } from '../../support/processes/gateway.ts';
import { withRedis } from '../../support/redis/redis.ts';
import { until } from '../../support/until.ts';

/** What the issue promises. */
const WITHIN_MS = 5_000;

let gateway: TestGateway;
let operator: ReturnType<typeof operate>;
beforeAll(async () => {
  gateway = await startGateway({
    apis: 2,
    env: { ADMIN_TOKEN, WORKER_CONCURRENCY: '24', SHARDS: '2' },
    sandbox: { delayMs: 100, record: { limit: 20_000, keys: 'clear' } },
  });
  operator = operate(gateway);
});
afterAll(() => gateway.stop());

const workOf = async ({ id }: { id: string }): Promise<TenantWork> =>
  (await operator.call('GET', `/admin/tenants/${id}/work`)).body as TenantWork;
const setUp = async (): Promise<{ tenant: Tenant; one: IssuedPlatformKey; two: IssuedPlatformKey }> => {
  const tenant = await operator.tenant();
  return { tenant, one: await operator.issue(tenant), two: await operator.issue(tenant) };
};
const begun = async (sent: Batch, key: string): Promise<void> => {
  await until(
    'some lines have run',
    async () => (await readBatch(gateway, sent.id, { key })).request_counts.completed > 2,
  );
};
/** A call of a job that was claimed before the stop may still be on its way on a busy machine. */
const ON_ITS_WAY_MS = 1_000;
/** How many calls reached the provider later than that. */
const startedAfter = (text: string, sinceMs: number): number =>
  gateway.callsWith(text).filter(({ startedAt }) => startedAt > sinceMs + ON_ITS_WAY_MS).length;

describe('with 3,000 lines waiting and calls under way', () => {
  test('a revoked key: its work alone ends within 5 s, its calls are aborted, and each end says why', async () => {
    const { tenant, one, two } = await setUp();
    const own = { key: one.secret, headers: userKey() };
    const fields = { model: 'gpt-4o' };
    const stopped = acceptedBatch(await upload(gateway, lines(3_000, fields, 'stopped'), own));
    const slow = await gateway.submit('hangs sandbox:delay=60000', { ...own, fields });
    const other = acceptedBatch(await upload(gateway, lines(40, {}, 'other'), { key: two.secret }));
    const waiting = await gateway.submit('waits', { ...own, fields: { ...fields, deadline_seconds: 3_600 } });
    await begun(stopped, two.secret);
    await until('the slow call has left', () => gateway.callsWith('hangs').length === 1);

    const askedAt = Date.now();
    expect((await operator.revoke(tenant, one)).status).toBe(204);
    const answeredAt = Date.now();
    const call = await until('its call is aborted', () => gateway.callsWith('hangs').find(({ aborted }) => aborted));
    expect((call.finishedAt ?? Number.POSITIVE_INFINITY) - askedAt).toBeLessThan(WITHIN_MS);
    const ended = await finishedBatch(gateway, stopped.id, { key: two.secret });
    expect(Date.parse(ended.finished_at ?? '') - askedAt).toBeLessThan(WITHIN_MS);
    expect(ended).toMatchObject({ status: 'cancelled', request_counts: { queued: 0, in_progress: 0 } });
    expect(ended.request_counts.cancelled).toBeGreaterThan(2_900);
    expect(startedAfter('stopped ', answeredAt)).toBe(0);

    for (const { id } of [slow, waiting]) {
      const job: Job = await gateway.finished(id, { key: two.secret });
      if (id === waiting.id && job.status === 'completed') continue;
      expect(job).toMatchObject({ status: 'cancelled', error: { code: 'stopped_by_operator', retryable: false } });
    }
    const results = await readResults(gateway, stopped.id, { key: two.secret });
    expect(results).toHaveLength(3_000);
    for (const { status, error } of results) {
      if (status === 'cancelled') expect(error?.code).toBe('stopped_by_operator');
    }
    expect(await workOf(tenant)).toMatchObject({
      stop: { reason: 'key_revoked', platform_key: one.id, batches: 1, ended_at: expect.any(String) },
    });
    expect((await finishedBatch(gateway, other.id, { key: two.secret })).request_counts.completed).toBe(40);
    expect((await gateway.submit('still good', { key: two.secret })).status).toBe('queued');

    const { body } = await operator.call('GET', `/admin/audit?tenant=${tenant.id}&limit=100`);
    const rows = (body as { data: Record<string, unknown>[] }).data;
    expect(rows).toContainEqual(
      expect.objectContaining({ kind: 'work_stopped', reason: 'key_revoked', platform_key: one.id, actor: 'operator' }),
    );
    expect(rows).toContainEqual(expect.objectContaining({ kind: 'stopped_work_ended', batches: 1 }));
  }, 60_000);

  test('a disabled tenant: all of its work ends within 5 s, another tenant’s goes on; enabled again it runs what is new', async () => {
    const [{ tenant, one }, beta] = [await setUp(), await setUp()];
    const stopped = acceptedBatch(await upload(gateway, lines(3_000, {}, 'disabled'), { key: one.secret }));
    const other = acceptedBatch(await upload(gateway, lines(20, {}, 'beta'), { key: beta.one.secret }));
    await begun(stopped, one.secret);
    const askedAt = Date.now();
    expect((await operator.change(tenant, { disabled: true })).status).toBe(200);
    const answeredAt = Date.now();
    await until('nothing of it is left', async () => {
      const { waiting_jobs, waiting_lines, in_flight } = await workOf(tenant);
      return waiting_jobs + waiting_lines + in_flight === 0;
    });
    expect(Date.now() - askedAt).toBeLessThan(WITHIN_MS);
    expect(startedAfter('disabled ', answeredAt)).toBe(0);
    expect((await finishedBatch(gateway, other.id, { key: beta.one.secret })).request_counts.completed).toBe(20);

    await operator.change(tenant, { disabled: false });
    const ask = () =>
      gateway.call('POST', '/v1/complete', { key: one.secret, body: { messages: [{ role: 'user', content: 'new' }] } });
    const taken = await until('it is let in again', async () => {
      const answer = await ask();
      return answer.status === 202 && (answer.body as Job);
    });
    expect((await gateway.finished(taken.id, { key: one.secret })).status).toBe('completed');
    expect((await readBatch(gateway, stopped.id, { key: one.secret })).status).toBe('cancelled');
    await expectInvariants(gateway.redis.url, { shards: 2 });
  }, 60_000);

  test('what is kept goes on: rotated keys, and keep_work', async () => {
    const { tenant, one, two } = await setUp();
    const batch = acceptedBatch(await upload(gateway, lines(60, {}, 'kept'), { key: one.secret }));
    await operator.rotate(tenant, one, 0);
    const second = acceptedBatch(await upload(gateway, lines(30, {}, 'kept too'), { key: two.secret }));
    const revoked = await operator.call('DELETE', `/admin/tenants/${tenant.id}/keys/${two.id}?keep_work=true`);
    expect(revoked.status).toBe(204);
    await operator.change(tenant, { disabled: true, keep_work: true });
    await until('all lines have run', async () => {
      const { waiting_lines, in_flight } = await workOf(tenant);
      return waiting_lines + in_flight === 0;
    });
    await operator.change(tenant, { disabled: false });
    const reader = await operator.issue(tenant);
    for (const [{ id }, count] of [
      [batch, 60],
      [second, 30],
    ] as const) {
      const counts = await until('it can be read again', async () => {
        const answer = await gateway.call('GET', `/v1/batches/${id}`, { key: reader.secret });
        return answer.status === 200 && (answer.body as Batch).request_counts;
      });
      expect(counts.completed).toBe(count);
    }
  }, 60_000);
});

test('an API that dies between the registry and the shard: a worker carries the order out within 5 s', async () => {
  const { tenant, one, two } = await setUp();
  const batch = acceptedBatch(await upload(gateway, lines(500, {}, 'orphaned'), { key: one.secret }));
  // What is left when it dies there.
  await withRedis(gateway.redis.url, (redis) =>
    redis
      .multi()
      .del(key(REGISTRY_TAG, 'PLATFORM_KEY', one.id))
      .hset(key(REGISTRY_TAG, 'STOP_ORDERS'), `${tenant.id}:${one.id}`, '1 key_revoked operator')
      .exec(),
  );
  const ended = await finishedBatch(gateway, batch.id, { key: two.secret });
  expect(ended.status).toBe('cancelled');
  expect(ended.request_counts.completed).toBeLessThan(400);
}, 30_000);

test('POST cancel ends all unfinished work, of a tenant of the configuration too, and what comes next runs', async () => {
  const batch = acceptedBatch(await upload(gateway, lines(300, {}, 'cancelled')));
  const answer = await operator.call('POST', '/admin/tenants/acme/cancel');
  expect(answer).toMatchObject({
    status: 202,
    body: { object: 'tenant_work', tenant: 'acme', stop: { reason: 'cancelled', batches: 1 } },
  });
  expect((await finishedBatch(gateway, batch.id)).status).toBe('cancelled');
  const next = await gateway.submit('next');
  expect((await gateway.finished(next.id)).status).toBe('completed');
  // Again, with nothing to do.
  const again = (await operator.call('POST', '/admin/tenants/acme/cancel')).body as TenantWork;
  expect(again.stop).toMatchObject({ jobs: 0, batches: 0, lines: 0, running: 0 });
});

test('a deleted tenant’s data is erased, and that shows', async () => {
  const { tenant, one } = await setUp();
  const secret = 'quince-0815';
  const done = await gateway.submit(secret, { key: one.secret, fields: { metadata: { order: secret } } });
  await gateway.finished(done.id, { key: one.secret });
  acceptedBatch(await upload(gateway, lines(400, {}, secret), { key: one.secret }));
  expect((await operator.call('DELETE', `/admin/tenants/${tenant.id}?erase=true&keep_work=true`)).status).toBe(400);
  expect((await operator.call('DELETE', `/admin/tenants/${tenant.id}?erase=true`)).status).toBe(204);
  const { erasure } = await until(
    'all is erased',
    async () => {
      const found = await workOf(tenant);
      return found.erasure?.ended_at ? found : null;
    },
    { withinMs: 20_000 },
  );
  expect(erasure).toMatchObject({ jobs: 1, batches: 1 });
  const left = await withRedis(gateway.redis.url, async (redis) => {
    const names = await redis.keys('*');
    const dumps = await Promise.all(names.map(async (name) => [name, await redis.dumpBuffer(name)] as const));
    return dumps.filter(([, dump]) => dump?.includes(secret)).map(([name]) => name);
  });
  expect(left).toEqual([]);
  const gone = await operator.call('GET', `/admin/tenants/${tenant.id}`);
  expect(gone.status).toBe(404);
}, 60_000);
