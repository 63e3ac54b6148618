/** The accept path without a gateway: a Hono route that does one BullMQ `add` of the body it got. */
import { once } from 'node:events';
import { serve } from '@hono/node-server';
import { Queue } from 'bullmq';
import { Hono } from 'hono';
import { Redis } from 'ioredis';
import { clockMs } from '../figures/clock.ts';
import { BARE_QUEUE } from './bare-queue.ts';
import { serveParent } from './remote.ts';
import { bodyOf, type Template } from './request.ts';

const BULK = 1_000;

type Bulk = { redisUrl: string; template: Template; first: number; count: number };

const calls = {
  /** Adds bodies to the queue by BullMQ's own means for many, and answers how long it took. */
  addBulk: async ({ redisUrl, template, first, count }: Bulk) => {
    const connection = new Redis(redisUrl);
    const queue = new Queue(BARE_QUEUE, { connection });
    await queue.waitUntilReady();
    const startedAt = clockMs();
    for (let start = 0; start < count; start += BULK) {
      const bodies = Array.from({ length: Math.min(BULK, count - start) }, (_, index) =>
        bodyOf(template, first + start + index),
      );
      await queue.addBulk(bodies.map((body) => ({ name: 'completion', data: JSON.parse(body) as unknown })));
    }
    const elapsedMs = clockMs() - startedAt;
    await queue.close();
    connection.disconnect();
    return elapsedMs;
  },
  listen: async ({ redisUrl }: { redisUrl: string }): Promise<{ url: string }> => {
    const queue = new Queue(BARE_QUEUE, { connection: new Redis(redisUrl) });
    await queue.waitUntilReady();
    const app = new Hono();
    app.post('/v1/complete', async (c) => {
      const { id } = await queue.add('completion', await c.req.json(), { removeOnComplete: true, removeOnFail: true });
      return c.json({ id }, 202);
    });
    const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 });
    if (!server.listening) await once(server, 'listening');
    const address = server.address();
    return { url: `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}` };
  },
};

export type BareApiCalls = typeof calls;
serveParent(calls);
