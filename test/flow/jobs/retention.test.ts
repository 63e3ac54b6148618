import type { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { key, shardTag } from '../../../shared/storage/redis/names.ts';
import { expectInvariants } from '../../support/invariants/invariants.ts';
import type { TestGateway } from '../../support/processes/gateway.ts';
import { useGateway } from '../../support/processes/use-gateway.ts';
import { until } from '../../support/until.ts';

const TAG = shardTag(0);

let gateway: TestGateway;
let redis: Redis;
useGateway({ env: { RESULT_TTL_SECONDS: '1' } }, (opened) => {
  ({ gateway, redis } = opened);
});

test('nothing is left of jobs whose retention is over, however many tenants there are', async () => {
  await redis.sadd(key(TAG, 'TENANTS'), ...Array.from({ length: 200 }, (_, index) => `tenant-${index}`));
  await Promise.all(Array.from({ length: 150 }, () => gateway.submit('short')));
  const indexed = (): Promise<number> => redis.xlen(key(TAG, 'JOBS', 'acme'));
  await until('they are forgotten', async () => (await indexed()) === 0, { withinMs: 20_000 });
  expect(await redis.keys(key(TAG, 'JOB', '*'))).toEqual([]);
  expect((await gateway.call('GET', '/v1/jobs')).body).toMatchObject({ data: [], has_more: false });
  await expectInvariants(gateway.redis.url, { allRecordsStored: false });
});
