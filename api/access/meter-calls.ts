import { createMiddleware } from 'hono/factory';
import type { ApiContext, ApiEnv } from '../http/context.ts';
import type { Asker, CallMeter } from './call-meter.ts';

/** Bounds the work that each asker makes, before its body is read. */
export const meterCalls = (meter: CallMeter, askerOf: (c: ApiContext) => Asker) =>
  createMiddleware<ApiEnv>(async (c, next) => {
    const asker = askerOf(c);
    const { socket } = c.env.incoming;
    const readBefore = socket.bytesRead;
    await meter.enter(asker);
    c.set('unkept', 'all');
    await next();
    if (c.res.status >= 500) return;
    const unkept = c.get('unkept');
    await meter.unkept(asker, unkept === 'all' ? socket.bytesRead - readBefore : unkept);
  });
