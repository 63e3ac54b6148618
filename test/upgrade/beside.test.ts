/** This release and the one before it on one Redis, under load and with kills: nothing is lost, and the ledgers are exact. */
import { Redis } from 'ioredis';
import { afterAll, expect, test } from 'vitest';
import type { Batch } from '../../shared/domain/batches/schema.ts';
import type { Job } from '../../shared/domain/jobs/schema.ts';
import { createSchemaStore } from '../../shared/storage/schema/schema-store.ts';
import { expectInvariants } from '../support/invariants/invariants.ts';
import { startGateway, type TestApi, type TestGateway, userKey } from '../support/processes/gateway.ts';
import { until } from '../support/until.ts';
import { isHere, unpackRelease } from './release.ts';

/** The last commit before what is stored had a version. */
const BEFORE = '342b0609f4f1ec1cdab8fb3fdc9faba0dd294942';
const isThere = isHere(BEFORE);
if (!isThere) {
  process.stdout.write(`Skipped: this copy of the history has no commit ${BEFORE}, the release to stand beside.\n`);
}
const before = isThere ? unpackRelease(BEFORE) : null;
afterAll(() => before?.remove());

const JOBS = 120;
const LINES = 40;

const submitBatch = async (gateway: TestGateway, api: TestApi | undefined, name: string): Promise<string> => {
  const requests = Array.from({ length: LINES }, (_, index) => ({
    custom_id: `${name}-${index}`,
    body: { messages: [{ role: 'user', content: `${name} ${index} sandbox:delay=200` }] },
  }));
  const { status, body } = await gateway.call('POST', '/v1/batches', { ...(api && { api }), body: { requests } });
  expect(status).toBe(202);
  return (body as Batch).id;
};
/** What a worker of the older release would run half of. */
const withTools = (path: string): object => {
  const tools = [{ type: 'function', function: { name: 'look_up' } }];
  const body = { messages: [{ role: 'user', content: 'Hello.' }], tools };
  return path === '/v1/complete' ? body : { requests: [{ custom_id: 'a', body }] };
};
const isOver = async (gateway: TestGateway, id: string): Promise<boolean> => {
  const { body } = await gateway.call('GET', `/v1/batches/${id}`);
  return ['completed', 'cancelled'].includes((body as Batch).status);
};

test.skipIf(!isThere)(
  'no job is lost while workers of both are killed, each reads what the other wrote, and the schema is raised when the older is gone',
  { timeout: 180_000 },
  async () => {
    const from = before ?? {};
    const gateway = await startGateway({ apis: 0, workers: 0 });
    const redis = new Redis(gateway.redis.url);
    try {
      // The data is the older one's: it was there first.
      await gateway.addWorker({}, from);
      const older = await gateway.addApi({}, from);
      const newer = await gateway.addApi();
      await gateway.addWorker();
      const schema = createSchemaStore({ redis, shards: 1 });
      expect(await schema.read()).toEqual({ lowest: 1, highest: 1 });

      const batches = [await submitBatch(gateway, older, 'older'), await submitBatch(gateway, newer, 'newer')];
      const stopped = await submitBatch(gateway, newer, 'stopped');
      const ids: string[] = [];
      for (let index = 0; index < JOBS; index++) {
        const api = index % 2 === 0 ? older : newer;
        const options = index % 3 === 0 ? { headers: userKey(), fields: { model: 'gpt-4o-mini' } } : {};
        ids.push(
          (await gateway.submit(`job ${index} sandbox:delay=${50 + (index % 5) * 100}`, { api, ...options })).id,
        );
        if (index % 40 !== 39) continue;
        // The one of the older release, then the one of this one, and so on.
        const worker = gateway.workers.shift();
        worker?.signal('SIGKILL');
        await worker?.exited;
        await gateway.addWorker({}, index % 80 === 39 ? from : {});
      }
      await gateway.call('POST', `/v1/batches/${stopped}/cancel`, { api: older });
      for (const [index, id] of ids.entries()) {
        const job = await gateway.finished(id, { api: index % 2 === 0 ? newer : older });
        expect(job.status).toBe('completed');
      }
      for (const id of [...batches, stopped]) {
        await until(`${id} is over`, () => isOver(gateway, id), { withinMs: 60_000 });
      }
      await expectInvariants(gateway.redis.url);

      // While one of the older is there, its forms are the ones that are written.
      await expect(schema.raise(Date.now())).rejects.toThrow(/of a release that does not know schema \d/);
      for (const path of ['/v1/complete', '/v1/batches']) {
        const { status, body } = await gateway.call('POST', path, { api: newer, body: withTools(path) });
        expect([status, body]).toEqual([503, { error: expect.objectContaining({ code: 'upgrade_unfinished' }) }]);
      }
      for (const process of [...gateway.workers.splice(0), ...gateway.apis.splice(0)]) await process.stop();
      await gateway.addApi();
      await gateway.addWorker();
      await until(
        'the older workers are gone',
        () =>
          schema.raise(Date.now()).then(
            () => true,
            () => false,
          ),
        {
          withinMs: 20_000,
        },
      );
      const last = await gateway.finished((await gateway.submit('after the raise')).id);
      expect(last.status).toBe('completed');
      const { body } = await gateway.call('POST', '/v1/complete', { body: withTools('/v1/complete') });
      const called = await gateway.finished((body as Job).id);
      expect(called).toMatchObject({ status: 'completed', result: { finish_reason: 'tool_calls' } });
      await expectInvariants(gateway.redis.url);
    } finally {
      redis.disconnect();
      await gateway.stop();
    }
  },
);
