import type { Hono } from 'hono';
import { RequestError } from '../../shared/errors.ts';
import type { ApiEnv } from '../context.ts';
import { CONTENT_SECURITY_POLICY, renderPage } from '../docs/page.ts';
import { createDocument } from '../openapi/document.ts';
import { route } from '../route.ts';

/** `isReady` must answer soon, whatever Redis does. */
export const addOperationRoutes = (
  app: Hono<ApiEnv>,
  { isReady, sandbox, admin }: { isReady: () => Promise<boolean>; sandbox: boolean; admin: boolean },
): void => {
  const document = createDocument({ admin });
  const page = renderPage(document);
  route(app, '/healthz', { GET: (c) => c.json({ status: 'ok', sandbox }) });
  route(app, '/readyz', {
    GET: async (c) => {
      if (!(await isReady())) throw new RequestError('queue_unavailable');
      return c.json({ status: 'ready', sandbox });
    },
  });
  route(app, '/openapi.json', { GET: (c) => c.json(document) });
  route(app, '/docs', {
    GET: (c) => {
      c.header('Content-Security-Policy', CONTENT_SECURITY_POLICY);
      c.header('X-Content-Type-Options', 'nosniff');
      c.header('Referrer-Policy', 'no-referrer');
      return c.html(page);
    },
  });
};
