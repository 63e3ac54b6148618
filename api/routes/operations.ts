import type { Hono } from 'hono';
import { RequestError } from '../../shared/errors.ts';
import type { ApiEnv } from '../context.ts';
import { route } from '../route.ts';

/** `isReady` must answer soon, whatever Redis does. */
export const addOperationRoutes = (
  app: Hono<ApiEnv>,
  { isReady, sandbox }: { isReady: () => Promise<boolean>; sandbox: boolean },
): void => {
  route(app, '/healthz', { GET: (c) => c.json({ status: 'ok', sandbox }) });
  route(app, '/readyz', {
    GET: async (c) => {
      if (!(await isReady())) throw new RequestError('queue_unavailable');
      return c.json({ status: 'ready', sandbox });
    },
  });
};
