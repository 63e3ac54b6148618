import { createMiddleware } from 'hono/factory';
import { routePath } from 'hono/route';
import { parseTraceparent } from '../../../shared/domain/traceparent.ts';
import type { Tracer } from '../../../shared/process/tracing/tracer.ts';
import type { ApiEnv } from '../context.ts';

/** Takes up the caller's trace, where it names one. */
export const traceRequest = (tracer: Tracer) =>
  createMiddleware<ApiEnv>(async (c, next) => {
    const span = tracer.start('server', parseTraceparent(c.req.header('traceparent')));
    c.set('traceparent', span.traceparent);
    await next();
    const { tenant, job_id } = c.get('logged');
    const route = routePath(c, -1);
    span.end(
      `${c.req.method} ${route}`,
      {
        'http.request.method': c.req.method,
        'http.route': route,
        'http.response.status_code': c.res.status,
        'gateway.request_id': c.get('requestId'),
        ...(tenant && { 'gateway.tenant': tenant }),
        ...(job_id && { 'gateway.job_id': job_id }),
      },
      c.res.status >= 500,
    );
  });
