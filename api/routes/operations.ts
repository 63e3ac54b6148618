import type { Hono } from 'hono';
import { RequestError } from '../../shared/errors.ts';
import { METRICS_TYPE } from '../../shared/metrics/serve-metrics.ts';
import type { ApiEnv } from '../context.ts';
import { CONTENT_SECURITY_POLICY, renderPage } from '../docs/page.ts';
import type { ApiMetrics } from '../metrics.ts';
import { createDocument } from '../openapi/document.ts';
import { route } from '../route.ts';

type Needs = {
  /** Must answer soon, whatever Redis does. */
  isReady: () => Promise<boolean>;
  sandbox: boolean;
  /** Whether this process has the operator's calls. */
  admin: boolean;
  /** Null where they are on a port of their own, or nowhere. */
  metrics: Pick<ApiMetrics, 'render'> | null;
};

export const addOperationRoutes = (app: Hono<ApiEnv>, { isReady, sandbox, admin, metrics }: Needs): void => {
  const document = createDocument({ admin, metrics: metrics !== null });
  const page = renderPage(document);
  route(app, '/healthz', { GET: (c) => c.json({ status: 'ok', sandbox }) });
  route(app, '/readyz', {
    GET: async (c) => {
      if (!(await isReady())) throw new RequestError('queue_unavailable');
      return c.json({ status: 'ready', sandbox });
    },
  });
  if (metrics !== null) {
    route(app, '/metrics', { GET: async (c) => c.body(await metrics.render(), 200, { 'Content-Type': METRICS_TYPE }) });
  }
  route(app, '/', { GET: (c) => c.redirect('/docs') });
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
