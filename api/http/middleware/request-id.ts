import { createMiddleware } from 'hono/factory';
import { isRequestId, newRequestId } from '../../../shared/domain/ids.ts';
import type { ApiEnv } from '../context.ts';

/** Gives every request an id, the client's own where it has the form, and every answer its header. */
export const requestId = createMiddleware<ApiEnv>(async (c, next) => {
  const given = c.req.header('x-request-id');
  const id = given !== undefined && isRequestId(given) ? given : newRequestId();
  c.set('requestId', id);
  c.set('logged', {});
  c.header('X-Request-Id', id);
  c.header('Cache-Control', 'no-store');
  await next();
});
