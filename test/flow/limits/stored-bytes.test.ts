/** A tenant that stores too much is refused before it hurts another. */

import { expect, test } from 'vitest';
import type { Usage } from '../../../api/surfaces/native/usage/schema.ts';
import type { Refusal } from '../../../shared/domain/refusal.ts';
import { ADMIN_TOKEN, operate } from '../../support/clients/operator.ts';
import { expectInvariants } from '../../support/invariants/invariants.ts';
import { openConnection, request } from '../../support/network/raw.ts';
import { type Answer, KEYS, startGateway, type TestGateway, userKey } from '../../support/processes/gateway.ts';
import { withGateway } from '../../support/processes/with-gateway.ts';
import { withRedis } from '../../support/redis/redis.ts';
import { until } from '../../support/until.ts';

const MIB = 1_048_576;
const QUOTA = 8 * MIB;

const complete = (gateway: TestGateway, content: string, more: object = {}): Promise<Answer> =>
  gateway.call('POST', '/v1/complete', {
    headers: userKey(),
    body: { model: 'gpt-4o', messages: [{ role: 'user', content }] },
    ...more,
  });
const lineOf = (id: number, bytes: number): string =>
  `${JSON.stringify({ custom_id: `c${id}`, body: { model: 'gpt-4o', messages: [{ role: 'user', content: 'x'.repeat(bytes) }] } })}\n`;
const upload = (gateway: TestGateway, lines: readonly string[]): Promise<Answer> =>
  gateway.call('POST', '/v1/batches', {
    headers: { ...userKey(), 'Content-Type': 'application/x-ndjson' },
    body: lines.join(''),
  });
const limitsOf = async (gateway: TestGateway, platformKey: string = KEYS.acme) =>
  ((await gateway.call('GET', '/v1/usage', { key: platformKey })).body as Usage).limits;
const usedShare = (gateway: TestGateway): Promise<number> =>
  withRedis(gateway.redis.url, async (redis) => {
    const info = await redis.info('memory');
    return Number(/used_memory:(\d+)/.exec(info)?.[1]) / Number(/maxmemory:(\d+)/.exec(info)?.[1]);
  });

test.concurrent('a tenant fills a quarter of Redis’ memory and no more, by batches, jobs and retries; another’s jobs are accepted all the while', async () => {
  await withGateway({ apis: 2, env: { MAX_ATTEMPTS: '1' } }, async (gateway) => {
    await withRedis(gateway.redis.url, (redis) => redis.config('SET', 'maxmemory', 4 * QUOTA));
    await until('the limit follows', async () => (await limitsOf(gateway)).max_stored_bytes === QUOTA);

    const others: number[] = [];
    let isOver = false;
    const askAllTheWhile = async (): Promise<void> => {
      while (!isOver) others.push((await complete(gateway, 'hello', { key: KEYS.beta, api: gateway.apis[1] })).status);
    };
    const asked = askAllTheWhile();
    // 45 lines of 1 MB, of which it may store 8; nothing of them stays.
    const lines = Array.from({ length: 45 }, (_, index) => lineOf(index, 1_000_000));
    for (const answer of await Promise.all([upload(gateway, lines), upload(gateway, lines)])) {
      expect([429, 413]).toContain(answer.status);
      const { code } = (answer.body as Refusal).error;
      expect(code).toBe(answer.status === 429 ? 'too_many_stored_bytes' : 'body_too_large');
    }
    await until('all is given back', async () => (await limitsOf(gateway)).stored_bytes === 0);

    // A batch that fails can be run again while what it holds fits once more.
    const failing = Array.from({ length: 3 }, (_, index) => `${lineOf(index, 1_000_000).trimEnd()}\n`).map((text) =>
      text.replace('"xxx', '"sandbox:status=400 xxx'),
    );
    const accepted = await upload(gateway, failing);
    expect(accepted.status).toBe(202);
    const { id } = accepted.body as { id: string };
    const ended = async (batch: string): Promise<boolean> =>
      ((await gateway.call('GET', `/v1/batches/${batch}`)).body as { status: string }).status === 'failed';
    await until('it has failed', () => ended(id), { withinMs: 20_000 });
    const retry = () => gateway.call('POST', `/v1/batches/${id}/retry`, { headers: userKey() });
    const first = await retry();
    expect(first.status).toBe(202);
    await until('it has failed again', () => ended((first.body as { id: string }).id), { withinMs: 20_000 });
    for (let times = 0; times < 3; times++) {
      const refused = await retry();
      expect(refused).toMatchObject({ status: 429, body: { error: { code: 'too_many_stored_bytes' } } });
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    }

    // Single jobs come to the same limit.
    const statuses: number[] = [];
    for (let times = 0; times < 6; times++) {
      statuses.push((await complete(gateway, `${'y'.repeat(900_000)} sandbox:delay=60000`)).status);
    }
    expect(statuses).toContain(202);
    expect(statuses.at(-1)).toBe(429);
    expect((await limitsOf(gateway)).stored_bytes).toBeLessThanOrEqual(QUOTA);
    expect(await usedShare(gateway)).toBeLessThan(0.75);

    isOver = true;
    await asked;
    expect(others.length).toBeGreaterThan(10);
    expect(new Set(others)).toEqual(new Set([202]));
    for (const { id: job } of ((await gateway.call('GET', '/v1/jobs')).body as { data: { id: string }[] }).data) {
      await gateway.call('POST', `/v1/jobs/${job}/cancel`);
    }
  });
}, 120_000);

test.concurrent('an upload that passes the limit is answered in its middle', async () => {
  await withGateway({ workers: 0, env: { MAX_STORED_BYTES: String(QUOTA) } }, async (gateway) => {
    const connection = openConnection(gateway.apis[0]?.url ?? '');
    const headers = [
      `X-API-Key: ${KEYS.acme}`,
      'X-User-Provider: openai',
      `X-User-API-Key: ${userKey()['X-User-API-Key']}`,
    ];
    connection.send(
      request('POST /v1/batches', [...headers, 'Content-Type: application/x-ndjson', `Content-Length: ${200 * MIB}`]),
    );
    let sent = 0;
    while (connection.rest() === '' && sent < 100) {
      connection.send(lineOf(sent, 1_000_000));
      sent += 1;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(connection.rest()).toMatch(
      /^HTTP\/1\.1 429 .+too_many_stored_bytes|^HTTP\/1\.1 413 .+may store 8388608 bytes/s,
    );
    expect(sent).toBeLessThan(60);
    connection.close();
    await until('all is given back', async () => (await limitsOf(gateway)).stored_bytes === 0);
  });
});

test.concurrent('a request larger than the whole limit is refused with 413, one that does not fit beside others with 429', async () => {
  await withGateway({ workers: 0, env: { ADMIN_TOKEN } }, async (gateway) => {
    const operator = operate(gateway);
    const tenant = await operator.tenant({ limits: { max_stored_bytes: 10_000 } });
    const { secret } = await operator.issue(tenant);
    const large = await complete(gateway, 'x'.repeat(10_000), { key: secret });
    expect(large).toMatchObject({ status: 413, body: { error: { code: 'body_too_large' } } });
    const job = (await complete(gateway, 'x'.repeat(5_000), { key: secret })).body as { id: string };
    const full = await complete(gateway, 'x'.repeat(5_000), { key: secret });
    expect(full).toMatchObject({ status: 429, body: { error: { code: 'too_many_stored_bytes' } } });
    expect((full.body as Refusal).error.message).toMatch(/may store 10000 bytes, and 7\d\d\d are/);
    expect(await limitsOf(gateway, secret)).toMatchObject({
      max_stored_bytes: 10_000,
      stored_bytes: expect.any(Number),
    });
    await gateway.call('POST', `/v1/jobs/${job.id}/cancel`, { key: secret });
    expect((await complete(gateway, 'x'.repeat(5_000), { key: secret })).status).toBe(202);
  });
});

test.concurrent('past the retention nothing is counted any more, of jobs as of batches', async () => {
  const gateway = await startGateway({ env: { RESULT_TTL_SECONDS: '1' } });
  try {
    await Promise.all(Array.from({ length: 20 }, () => complete(gateway, 'short')));
    await upload(
      gateway,
      Array.from({ length: 40 }, (_, index) => lineOf(index, 100)),
    );
    expect((await limitsOf(gateway)).stored_bytes).toBeGreaterThan(0);
    await until('all is given back', async () => (await limitsOf(gateway)).stored_bytes === 0, { withinMs: 30_000 });
    const left = await withRedis(gateway.redis.url, (redis) => redis.keys('*:stored-*'));
    expect(left).toEqual([]);
    await expectInvariants(gateway.redis.url, { allRecordsStored: false });
  } finally {
    await gateway.stop();
  }
}, 60_000);
