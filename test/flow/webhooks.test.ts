import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Job } from '../../shared/job.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { expectInvariants } from '../support/invariants.ts';
import { startReceiver } from '../support/receiver.ts';
import { startSharedRedis } from '../support/shared-redis.ts';
import { until } from '../support/until.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway({
    redis: await startSharedRedis(),
    env: { WEBHOOK_ALLOW_PRIVATE: 'true', WEBHOOK_RETRY_SCHEDULE_SECONDS: '1,1,1' },
  });
});
afterAll(async () => {
  await expectInvariants(gateway.redis.url);
  await gateway.stop();
});

const eventOf = (job: Job): string => job.id.replace('job_', 'evt_');

describe('the event of a final job', () => {
  test('tells the job as the API shows it, once', async () => {
    const receiver = await startReceiver();
    const { id } = await gateway.submit('tell me', { fields: { webhook: { url: `${receiver.url}/hook?x=1` } } });
    const job = await gateway.finished(id);
    const [first] = await until('it arrived', () => receiver.received.length > 0 && receiver.received);
    expect(first).toMatchObject({
      path: '/hook?x=1',
      id: eventOf(job),
      headers: { 'content-type': 'application/json' },
    });
    expect(JSON.parse(first?.body ?? '')).toEqual({ type: 'job.completed', timestamp: job.finished_at, data: job });
    await expectInvariants(gateway.redis.url);
    expect(receiver.received).toHaveLength(1);
    await receiver.close();
  });
});
