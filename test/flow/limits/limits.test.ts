import { expect, test } from 'vitest';
import type { Refusal } from '../../../shared/domain/refusal.ts';
import { key, shardTag } from '../../../shared/storage/redis/names.ts';
import { ADMIN_TOKEN, operate } from '../../support/clients/operator.ts';
import { type TestApi, type TestGateway, userKey } from '../../support/processes/gateway.ts';
import { withGateway } from '../../support/processes/with-gateway.ts';
import { withRedis } from '../../support/redis/redis.ts';
import { until } from '../../support/until.ts';

const BODY = { model: 'gpt-4o', messages: [{ role: 'user', content: 'hi' }] };
const complete = (gateway: TestGateway, more: object = {}) =>
  gateway.call('POST', '/v1/complete', { headers: userKey(), body: BODY, ...more });

/** Of each API, and how long they ask; the figure of docs/measured/speed.md is of OVERLOAD_SECONDS=180. */
const CLIENTS = 3;
const SECONDS = Number(process.env.OVERLOAD_SECONDS ?? 4);

test('four API processes accept exactly what one limit allows, to the request', async () => {
  await withGateway({ apis: 4, workers: 0, env: { RATE_LIMIT_RPM: '600' } }, async (gateway) => {
    const counts = { accepted: 0, refused: 0, other: 0 };
    const untilMs = performance.now() + SECONDS * 1_000;
    const overload = async (api: TestApi): Promise<void> => {
      while (performance.now() < untilMs) {
        const { status } = await complete(gateway, { api });
        if (status === 202) counts.accepted += 1;
        else if (status === 429) counts.refused += 1;
        else counts.other += 1;
      }
    };
    await Promise.all(gateway.apis.flatMap((api) => Array.from({ length: CLIENTS }, () => overload(api))));
    expect(counts.other).toBe(0);
    expect(counts.refused).toBeGreaterThan(0);

    const tag = shardTag(0);
    const { created, level, at } = await withRedis(gateway.redis.url, async (redis) => {
      const [, fields = []] = (await redis.xrange(key(tag, 'JOBS', 'acme'), '-', '+', 'COUNT', 1))[0] ?? [];
      const record = await redis.hgetall(key(tag, 'JOB', fields[1]));
      const row = await redis.hgetall(key(tag, 'TENANT', 'acme'));
      return { created: Number(record.created), level: Number(row.requests), at: Number(row.requests_at) };
    });
    // By Redis' clock, from the first request to the last that was accepted: none was lost and none came twice,
    expect(level).toBe(counts.accepted * 60_000 - (at - created) * 600);
    // and there were 600 at once and one each 100 ms, but for those that no client came to ask for.
    const allowed = 600 + Math.floor((at - created) / 100);
    expect(counts.accepted).toBeLessThanOrEqual(allowed);
    expect(counts.accepted).toBeGreaterThan(allowed - gateway.apis.length * CLIENTS);
    process.stderr.write(
      `overload of ${SECONDS} s: ${counts.accepted} accepted, ${counts.refused} refused; first to last accepted ${at - created} ms\n`,
    );
  });
}, 300_000);

test('every answer that the limit was asked for says how much is left, and a refusal when to come back', async () => {
  await withGateway({ env: { RATE_LIMIT_RPM: '3', MAX_QUEUED: '2' }, workers: 0 }, async (gateway) => {
    const idempotent = { headers: { ...userKey(), 'Idempotency-Key': 'k' } };
    const first = await complete(gateway, idempotent);
    expect(first.status).toBe(202);
    expect(first.headers.get('ratelimit-policy')).toBe('"requests";q=3;w=60');
    expect(first.headers.get('ratelimit')).toBe('"requests";r=2;t=20');
    expect((await complete(gateway, idempotent)).headers.get('ratelimit')).toBe('"requests";r=2;t=20');

    const second = await complete(gateway);
    expect(second.headers.get('ratelimit')).toMatch(/^"requests";r=1;t=(39|40)$/);
    const full = await complete(gateway);
    expect(full).toMatchObject({ status: 429, body: { error: { code: 'too_many_queued', type: 'rate_limit_error' } } });
    expect((full.body as Refusal).error.message).toMatch(/2 jobs waiting/);
    expect(full.headers.get('retry-after')).toBe('5');
    expect(full.headers.get('ratelimit')).toMatch(/r=1;/);

    const { id } = (second.body ?? {}) as { id: string };
    await gateway.call('POST', `/v1/jobs/${id}/cancel`);
    expect((await complete(gateway)).status).toBe(202);
    const limited = await complete(gateway);
    expect(limited).toMatchObject({ status: 429, body: { error: { code: 'rate_limited' } } });
    expect((limited.body as Refusal).error.message).toMatch(/3 requests a minute/);
    expect(Number(limited.headers.get('retry-after'))).toBeGreaterThanOrEqual(15);
    expect(Number(limited.headers.get('retry-after'))).toBeLessThanOrEqual(20);
    expect(limited.headers.get('ratelimit')).toMatch(/^"requests";r=0;t=(5\d|60)$/);

    // What never came to the limit says nothing of it.
    const broken = await gateway.call('POST', '/v1/complete', { body: {} });
    expect(broken.headers.get('ratelimit')).toBeNull();
    expect((await gateway.call('GET', `/v1/jobs/${id}`)).headers.get('ratelimit')).toBeNull();
  });
});

test('a test event and a new webhook secret count as requests, and are refused when these are used up', async () => {
  await withGateway({ env: { RATE_LIMIT_RPM: '2', WEBHOOK_ALLOW_PRIVATE: 'true' }, workers: 0 }, async (gateway) => {
    const rotate = (body: object = {}) => gateway.call('POST', '/v1/webhooks/secret/rotate', { body });
    const sendTest = (url: string) => gateway.call('POST', '/v1/webhooks/test', { body: { url } });
    expect((await rotate({ overlap_seconds: -1 })).headers.get('ratelimit')).toBeNull();
    expect((await sendTest('nowhere')).headers.get('ratelimit')).toBeNull();
    expect((await rotate()).headers.get('ratelimit')).toMatch(/r=1;/);
    expect((await rotate()).headers.get('ratelimit')).toMatch(/r=0;/);
    const { body } = await gateway.call('GET', '/v1/webhooks/secret');
    for (const refused of [await rotate(), await sendTest('http://127.0.0.1:9/'), await complete(gateway)]) {
      expect(refused).toMatchObject({ status: 429, body: { error: { code: 'rate_limited' } } });
      expect(refused.headers.get('ratelimit')).toMatch(/r=0;/);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    }
    expect((await gateway.call('GET', '/v1/webhooks/secret')).body).toEqual(body);
    expect((await gateway.call('GET', '/v1/webhooks/deliveries')).body).toMatchObject({ data: [] });
  });
});

test('an operator’s change of a limit holds in every process within 5 seconds', async () => {
  await withGateway({ apis: 2, workers: 0, env: { ADMIN_TOKEN } }, async (gateway) => {
    const operator = operate(gateway);
    const tenant = await operator.tenant({ limits: { requests_per_minute: 1 } });
    const { secret } = await operator.issue(tenant);
    const statusAt = async (api: TestApi | undefined) => (await complete(gateway, { key: secret, api })).status;
    expect(await statusAt(gateway.apis[0])).toBe(202);
    for (const api of gateway.apis) expect(await statusAt(api)).toBe(429);

    await operator.change(tenant, { limits: { requests_per_minute: 1_000 } });
    for (const api of gateway.apis) {
      await until('the new limit holds', async () => (await statusAt(api)) === 202, { withinMs: 5_000 });
    }
    await operator.change(tenant, { limits: { requests_per_minute: null, max_queued: 1 } });
    for (const api of gateway.apis) {
      await until('the default and the new limit hold', async () => (await statusAt(api)) === 429, { withinMs: 5_000 });
    }
  });
});
