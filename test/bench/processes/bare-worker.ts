/** A bare BullMQ worker: notes when each job's processor starts and, where it is told a provider, makes the call. */
import { Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { clockMs } from '../figures/clock.ts';
import { BARE_QUEUE } from './bare-queue.ts';
import { createConverse } from './converse.ts';
import { serveParent } from './remote.ts';
import { numberIn } from './request.ts';

const startedAt: [number: number, atMs: number][] = [];
let done = 0;

type Body = { messages: [{ content: string }] };

const calls = {
  start: async ({ redisUrl, bedrockUrl }: { redisUrl: string; bedrockUrl: string | null }): Promise<void> => {
    const converse = bedrockUrl === null ? null : createConverse(bedrockUrl);
    const worker = new Worker<Body>(
      BARE_QUEUE,
      async ({ data }) => {
        startedAt.push([numberIn(data), clockMs()]);
        await converse?.(data.messages[0].content);
        done += 1;
      },
      {
        connection: new Redis(redisUrl, { maxRetriesPerRequest: null }),
        concurrency: 100,
        removeOnComplete: { count: 0 },
        removeOnFail: { count: 0 },
      },
    );
    await worker.waitUntilReady();
  },
  /** The jobs done since the process started. */
  done: (): number => done,
  starts: (): [number: number, atMs: number][] => startedAt,
};

export type BareWorkerCalls = typeof calls;
serveParent(calls);
