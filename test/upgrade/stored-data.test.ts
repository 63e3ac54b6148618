/** What a release before this one stored opens: it is answered as that release answered it, and what waited runs. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Job } from '../../shared/domain/jobs/schema.ts';
import { createSchemaStore } from '../../shared/storage/schema/schema-store.ts';
import { expectInvariants } from '../support/invariants/invariants.ts';
import { startGateway, type TestGateway } from '../support/processes/gateway.ts';
import { startOwnRedis } from '../support/redis/redis.ts';
import { until } from '../support/until.ts';
import { later, RINGS, restore, type Snapshot } from './snapshot.ts';

const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

const FOLDER = join(import.meta.dirname, 'snapshots');
const releases = readdirSync(FOLDER).map((file) => file.replace('.json', ''));

describe.each(releases)('of release %s', (release) => {
  const snapshot = JSON.parse(readFileSync(join(FOLDER, `${release}.json`), 'utf8')) as Snapshot;
  let gateway: TestGateway;
  let byMs = 0;
  beforeAll(async () => {
    const redis = await startOwnRedis();
    const client = new Redis(redis.url);
    byMs = await restore(client, snapshot);
    client.disconnect();
    gateway = await startGateway({ redis, workers: 0, env: { ...RINGS, RESULT_TTL_SECONDS: '2592000' } });
  });
  afterAll(() => gateway.stop());
  const now = <T>(then: T): T => JSON.parse(later(JSON.stringify(then), byMs)) as T;

  test('the next release answers only more, and nothing else', async () => {
    for (const { path, key, status, body } of snapshot.answers) {
      const answer = await gateway.call('GET', path, { key });
      expect([path, answer.status]).toEqual([path, status]);
      expect(answer.body, path).toMatchObject(now(body) as object);
    }
  });

  test('the results of its batches are there, line by line', async () => {
    for (const [id, lines] of Object.entries(snapshot.batchResults)) {
      const response = await fetch(`${gateway.apis[0]?.url ?? ''}/v1/batches/${id}/results`, {
        headers: { 'x-api-key': snapshot.answers[0]?.key ?? '' },
      });
      const shown = (await response.text()).trim().split('\n');
      expect(shown.map((line) => JSON.parse(line) as unknown)).toEqual(now(lines));
    }
  });

  test('an accepted request is still the same request', async () => {
    const again = await gateway.call('POST', '/v1/complete', {
      headers: { 'idempotency-key': 'the-same' },
      body: { messages: [{ role: 'user', content: 'once' }] },
    });
    expect([again.status, (again.body as Job).id]).toEqual([200, snapshot.once]);
  });

  test('what waited, and what a dead worker had under way, runs to its end', async () => {
    await gateway.addWorker();
    for (const id of snapshot.waiting) expect(await gateway.finished(id)).toMatchObject({ id, status: 'completed' });
    const [cutOff = ''] = snapshot.waiting;
    expect((await gateway.read(cutOff)).attempts).toMatchObject([{ outcome: 'unknown' }, { outcome: 'completed' }]);
    await until('the batch is completed', async () => {
      const { body } = await gateway.call('GET', `/v1/batches/${snapshot.waitingBatch}`);
      return (body as { status: string }).status === 'completed';
    });
    await expectInvariants(gateway.redis.url);
  });

  test('and the ledgers go on exactly when the operator has raised the schema', async () => {
    const totals = async () => {
      const { body } = await gateway.call('GET', `/v1/usage?from=${dayOf(snapshot.takenMs)}`);
      return (body as { totals: Record<string, number> }).totals;
    };
    const before = await totals();
    const redis = new Redis(gateway.redis.url);
    await createSchemaStore({ redis, shards: 1 }).raise(Date.now());
    redis.disconnect();
    const job = await gateway.finished((await gateway.submit('after the raise')).id);
    const after = await totals();
    expect(after).toMatchObject({
      requests: (before.requests ?? 0) + 1,
      completed: (before.completed ?? 0) + 1,
      failed: before.failed,
      cancelled: before.cancelled,
      input_tokens: (before.input_tokens ?? 0) + (job.usage?.input_tokens ?? 0),
      output_tokens: (before.output_tokens ?? 0) + (job.usage?.output_tokens ?? 0),
    });
    await expectInvariants(gateway.redis.url, { allRecordsStored: false });
  });
});
