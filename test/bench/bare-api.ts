/** The accept path without a gateway: a Hono route that does one BullMQ `add` of the body it got. */
import { once } from 'node:events';
import { serve } from '@hono/node-server';
import { Queue } from 'bullmq';
import { Hono } from 'hono';
import { Redis } from 'ioredis';
import { BARE_QUEUE } from './bare-queue.ts';
import { serveParent } from './remote.ts';

const calls = {
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
