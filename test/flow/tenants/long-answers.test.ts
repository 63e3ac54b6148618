/** An answer that takes long ends when its caller would not be let in any more, and does not look whole then. */

import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Refusal } from '../../../shared/domain/refusal.ts';
import type { IssuedPlatformKey, Tenant } from '../../../shared/domain/tenants/schema.ts';
import { key, shardTag } from '../../../shared/storage/redis/names.ts';
import { acceptedBatch, finishedBatch, lines, readResults, upload } from '../../support/clients/batches.ts';
import { ADMIN_TOKEN, operate } from '../../support/clients/operator.ts';
import { startGateway, type TestGateway } from '../../support/processes/gateway.ts';
import { withRedis } from '../../support/redis/redis.ts';
import { until } from '../../support/until.ts';

const LINES = 200;
const RESULT_BYTES = 262_144;
/** What docs/operations/tenants.md promises of a revocation. */
const WITHIN_MS = 5_000;

let gateway: TestGateway;
let operator: ReturnType<typeof operate>;
beforeAll(async () => {
  gateway = await startGateway({ env: { ADMIN_TOKEN } });
  operator = operate(gateway);
});
afterAll(() => gateway.stop());

const STOPS: Record<string, (tenant: Tenant, issued: IssuedPlatformKey, batch: string) => Promise<{ status: number }>> =
  {
    'the revocation of its key': (tenant, issued) => operator.revoke(tenant, issued),
    'the deletion of its tenant': ({ id }) => operator.call('DELETE', `/admin/tenants/${id}`),
    'the deletion of its tenant with all that is stored': ({ id }) =>
      operator.call('DELETE', `/admin/tenants/${id}?erase=true`),
    'the deletion of the batch': (_, issued, id) => gateway.call('DELETE', `/v1/batches/${id}`, { key: issued.secret }),
    'the disabling of its tenant': ({ id }) => operator.call('PATCH', `/admin/tenants/${id}`, { disabled: true }),
  };

test.concurrent.for(Object.entries(STOPS))(
  'a stream of results is reset after %s',
  { timeout: 60_000 },
  async ([, stop]) => {
    const tenant = await operator.tenant();
    const issued = await operator.issue(tenant);
    const own = { key: issued.secret };
    const { id } = acceptedBatch(await upload(gateway, lines(LINES, {}, 'large'), own));
    await finishedBatch(gateway, id, own);
    const result = JSON.stringify({ role: 'assistant', content: 'x'.repeat(RESULT_BYTES), finish_reason: 'stop' });
    await withRedis(gateway.redis.url, async (redis) => {
      for (const { job_id } of await readResults(gateway, id, own)) {
        await redis.set(key(shardTag(0), 'RESULT', job_id), result, 'KEEPTTL');
      }
    });

    const asked = get(`${gateway.apis[0]?.url ?? ''}/v1/batches/${id}/results`, {
      agent: false,
      headers: { 'X-API-Key': issued.secret },
    });
    asked.on('error', () => {});
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    let bytes = 0;
    let end: 'whole' | 'reset' | null = null;
    answer.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    answer.on('end', () => {
      end = 'whole';
    });
    answer.on('error', () => {
      end = 'reset';
    });
    await until('its first lines have come', () => bytes > RESULT_BYTES);
    answer.pause();
    expect((await stop(tenant, issued, id)).status).toBeLessThan(300);
    await delay(WITHIN_MS);
    answer.resume();
    await until('it ends', () => end !== null, { withinMs: 10_000 });
    expect(end).toBe('reset');
    expect(bytes).toBeLessThan(LINES * RESULT_BYTES);
  },
);

test.concurrent('who waits for a job is not told of it after the revocation of the key', {
  timeout: 30_000,
}, async () => {
  const tenant = await operator.tenant();
  const issued = await operator.issue(tenant);
  const { id } = await gateway.submit('waits sandbox:delay=6000', { key: issued.secret });
  const waiting = gateway.call('GET', `/v1/jobs/${id}?wait=20`, { key: issued.secret });
  await delay(500);
  const path = `/admin/tenants/${tenant.id}/keys/${issued.id}?keep_work=true`;
  expect((await operator.call('DELETE', path)).status).toBe(204);
  const { status, body } = await waiting;
  expect([status, (body as Refusal).error.code]).toEqual([401, 'invalid_api_key']);
});

test.concurrent('who may still ask is answered, however long it took', { timeout: 30_000 }, async () => {
  const tenant = await operator.tenant();
  const issued = await operator.issue(tenant);
  const { id } = await gateway.submit('lasts sandbox:delay=5000', { key: issued.secret });
  const { status, body } = await gateway.call('GET', `/v1/jobs/${id}?wait=20`, { key: issued.secret });
  expect([status, (body as { status: string }).status]).toEqual([200, 'completed']);
});
