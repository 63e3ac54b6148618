import { createMiddleware } from 'hono/factory';
import { routePath } from 'hono/route';
import type { Log } from '../../../shared/domain/log.ts';
import type { ApiEnv } from '../context.ts';

/** One line a request: the route's pattern and never the path, query or headers, which may hold anything. */
export const accessLog = (log: Log) =>
  createMiddleware<ApiEnv>(async (c, next) => {
    const startedMs = performance.now();
    await next();
    log.info('request', {
      request_id: c.get('requestId'),
      method: c.req.method,
      route: routePath(c, -1),
      status: c.res.status,
      duration_ms: Math.round((performance.now() - startedMs) * 10) / 10,
      ...c.get('logged'),
    });
  });
