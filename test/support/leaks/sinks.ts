/** Everything that a gateway lets out or keeps, as text that can be searched. */
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Collector } from '../network/collector.ts';
import type { Receiver } from '../network/receiver.ts';
import type { TestGateway } from '../processes/gateway.ts';
import type { GatewayProcess } from '../processes/process.ts';
import { everyKey } from '../redis/keys-holding.ts';
import { withRedis } from '../redis/redis.ts';
import { until } from '../until.ts';

type Watched = {
  /** Each of its processes serves its metrics on a port of its own. */
  gateway: TestGateway;
  receiver: Receiver;
  collector: Collector;
  /** Processes beside the gateway's own. */
  others: readonly GatewayProcess[];
};

export type Sinks = {
  /** A call of the API, whose whole answer is a sink. */
  ask: (path: string, init?: RequestInit) => Promise<{ status: number; body: string }>;
  /** An answer that came another way. */
  keepAnswer: (text: string) => void;
  /** Keeps what Redis holds, and what the gateway's own processes tell Prometheus, at this moment. Rejects where one of them does not. */
  look: () => Promise<void>;
  /** Listens to what Redis is told, from now until it ends. */
  monitor: () => Promise<void>;
  /** All that came together so far, bytes as latin1. */
  collect: () => Promise<ReadonlyMap<string, string>>;
  close: () => void;
};

export const watchSinks = ({ gateway, receiver, collector, others }: Watched): Sinks => {
  let answers = '';
  let values = '';
  let told = '';
  let metrics = '';
  let listening: ReturnType<typeof connect> | null = null;
  const processes = () => [...gateway.apis, ...gateway.workers, ...others];
  const printed = (stream: 'stdout' | 'stderr'): string =>
    processes()
      .flatMap((each) => each.printed[stream])
      .join('\n');

  const lookIntoRedis = (): Promise<void> =>
    withRedis(gateway.redis.url, async (redis) => {
      values += (await everyKey(redis)).map(({ text }) => text).join('\n');
    });

  const scrape = async ({ log, exited }: GatewayProcess): Promise<void> => {
    if ((await Promise.race([exited, Promise.resolve(null)])) !== null) return;
    const line = await until('it serves metrics', () => log.find(({ msg }) => msg === 'metrics_listening'));
    const answer = await fetch(`http://127.0.0.1:${String(line.port)}/metrics`);
    if (answer.status !== 200) throw new Error(`/metrics answered ${answer.status}`);
    metrics += `${JSON.stringify([...answer.headers])} ${await answer.text()}\n`;
  };
  const look = async (): Promise<void> => {
    await Promise.all([lookIntoRedis(), ...[...gateway.apis, ...gateway.workers].map(scrape)]);
  };

  /** What Redis wrote to its folder: a snapshot made now, and its log. */
  const files = (): Promise<{ rdb: string; aof: string }> =>
    withRedis(gateway.redis.url, async (redis) => {
      // Compressed text could not be searched.
      await redis.config('SET', 'rdbcompression', 'no');
      await redis.save();
      const [, dir = ''] = (await redis.config('GET', 'dir')) as string[];
      const entries = await readdir(dir, { recursive: true, withFileTypes: true });
      const read = async (pattern: RegExp): Promise<string> => {
        const named = entries.filter((entry) => entry.isFile() && pattern.test(entry.name));
        const contents = await Promise.all(
          named.map(({ parentPath, name }) => readFile(join(parentPath, name), 'latin1')),
        );
        return contents.join('\n');
      };
      return { rdb: await read(/^dump\.rdb$/), aof: await read(/^appendonly\.aof/) };
    });

  return {
    ask: async (path, init = {}) => {
      const answer = await fetch(`${gateway.apis[0]?.url ?? ''}${path}`, init);
      const body = await answer.text();
      answers += `${answer.status} ${JSON.stringify([...answer.headers])} ${body}\n`;
      return { status: answer.status, body };
    },
    keepAnswer: (text) => {
      answers += `${text}\n`;
    },
    look,
    monitor: async () => {
      const socket = connect({ host: '127.0.0.1', port: Number(new URL(gateway.redis.url).port) });
      listening?.destroy();
      listening = socket;
      socket.on('error', () => {});
      socket.on('data', (chunk: Buffer) => {
        told += chunk.toString('latin1');
      });
      await once(socket, 'connect');
      socket.write('MONITOR\r\n');
      await once(socket, 'data');
    },
    collect: async () => {
      await look();
      const { rdb, aof } = await files();
      const delivered = receiver.received.map(
        ({ path, headers, body }) => `${path} ${JSON.stringify(headers)} ${body}`,
      );
      return new Map([
        ['stdout', printed('stdout')],
        ['stderr', printed('stderr')],
        ['Redis values', values],
        ['RDB', rdb],
        ['AOF', aof],
        ['MONITOR', told],
        ['webhooks', delivered.join('\n')],
        ['answers', answers],
        ['spans', collector.received()],
        ['metrics', metrics],
      ]);
    },
    close: () => listening?.destroy(),
  };
};
