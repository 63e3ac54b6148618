import { createMiddleware } from 'hono/factory';
import { routePath } from 'hono/route';
import type { ApiMetrics } from '../../../shared/process/metrics/api-metrics.ts';
import type { ApiEnv } from '../context.ts';

/** Counts by the route's pattern: a path, or a method that no route takes, is whatever a client writes. */
export const countRequest = (metrics: ApiMetrics) =>
  createMiddleware<ApiEnv>(async (c, next) => {
    const startedMs = performance.now();
    await next();
    const { code = 'ok' } = c.get('logged');
    const route = routePath(c, -1);
    const isKnown = !route.includes('*') && code !== 'method_not_allowed';
    metrics.requestAnswered({
      method: isKnown ? c.req.method : '',
      route: isKnown ? route : '',
      code,
      ms: performance.now() - startedMs,
    });
  });
