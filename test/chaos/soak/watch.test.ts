import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { startGateway } from '../../support/processes/gateway.ts';
import { TELLS_MEMORY } from '../../support/processes/process-memory.ts';
import { withRedis } from '../../support/redis/redis.ts';
import { until } from '../../support/until.ts';
import type { Quantity, Sample } from './growth.ts';
import { watch } from './watch.ts';

test('a socket that stays open and a key that nobody removes are seen, each where it is', async () => {
  const gateway = await startGateway({ apis: 0, workers: 0 });
  try {
    const [worker, api] = [await gateway.addWorker(TELLS_MEMORY), await gateway.addApi(TELLS_MEMORY)];
    const { id } = await until('a job is accepted', () => gateway.submit('one'));
    await gateway.finished(id);
    const look = async (): Promise<Sample> => {
      const [sample] = await watch({ worker, api }, gateway.redis.url, () => 1, { durationMs: 1, samples: 1 });
      if (!sample) throw new Error('there is no sample');
      return sample;
    };
    const valueIn = ({ readings }: Sample, of: string, quantity: Quantity): number =>
      readings.find((each) => each.of === of && each.quantity === quantity)?.value ?? 0;

    const before = await look();
    const socket = connect(Number(new URL(api.url).port), '127.0.0.1');
    await until('it is open', () => socket.readyState === 'open');
    await withRedis(gateway.redis.url, (redis) => redis.set('{s0}:planted:key', 'x'.repeat(10_000)));
    const after = await until('the API has taken it', async () => {
      const sample = await look();
      return valueIn(sample, 'API', 'descriptors') > valueIn(before, 'API', 'descriptors') && sample;
    });
    socket.destroy();

    expect(valueIn(after, 'Redis planted', 'keys')).toBe(1);
    expect(valueIn(after, 'Redis planted', 'bytes')).toBeGreaterThan(10_000);
    expect(valueIn(after, 'Redis job', 'keys')).toBe(1);
    for (const of of ['worker', 'API']) {
      expect(valueIn(after, of, 'heap')).toBeGreaterThan(10 * 2 ** 20);
      expect(valueIn(after, of, 'resident')).toBeGreaterThan(valueIn(after, of, 'heap'));
    }
  } finally {
    await gateway.stop();
  }
}, 60_000);
