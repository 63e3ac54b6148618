import type { Hono, MiddlewareHandler } from 'hono';
import { RequestError } from '../../shared/domain/errors.ts';
import type { ApiMetrics } from '../../shared/process/metrics/api-metrics.ts';
import { METRICS_TYPE } from '../../shared/process/metrics/serve-metrics.ts';
import { type Path, route } from '../access/operation.ts';
import type { ApiEnv } from '../http/context.ts';
import { CONTENT_SECURITY_POLICY, renderPage } from './docs/page.ts';
import { createDocument } from './openapi/document.ts';
import { storedAnswer } from './stored-answer.ts';

type Needs = {
  /** Must answer soon, whatever Redis does. */
  isReady: () => Promise<boolean>;
  /** Whether this process was told to stop. */
  isStopping: () => boolean;
  sandbox: boolean;
  /** Whether this port has the calls of tenants, and the operator's. */
  tenants: boolean;
  admin: boolean;
  /** Null where they are on a port of their own, or nowhere. */
  metrics: Pick<ApiMetrics, 'render'> | null;
  /** Bounds what one client asks; the probes come from inside. */
  meter: MiddlewareHandler<ApiEnv>;
};

export const addOperationRoutes = (
  app: Hono<ApiEnv>,
  { isReady, isStopping, sandbox, tenants, admin, metrics, meter }: Needs,
): void => {
  const document = createDocument({ tenants, admin, metrics: metrics !== null });
  route(app, '/healthz', { GET: (c) => c.json({ status: 'ok', sandbox }) });
  route(app, '/readyz', {
    GET: async (c) => {
      if (isStopping()) throw new RequestError('stopping');
      if (!(await isReady())) throw new RequestError('queue_unavailable');
      return c.json({ status: 'ready', sandbox });
    },
  });
  for (const path of ['/', '/metrics', '/openapi.json', '/docs'] satisfies Path[]) app.use(path, meter);
  if (metrics !== null) {
    route(app, '/metrics', { GET: async (c) => c.body(await metrics.render(), 200, { 'Content-Type': METRICS_TYPE }) });
  }
  route(app, '/', { GET: (c) => c.redirect('/docs') });
  route(app, '/openapi.json', {
    GET: storedAnswer(JSON.stringify(document), { 'Content-Type': 'application/json' }),
  });
  route(app, '/docs', {
    GET: storedAnswer(renderPage(document), {
      'Content-Type': 'text/html; charset=UTF-8',
      'Content-Security-Policy': CONTENT_SECURITY_POLICY,
      'X-Content-Type-Options': 'nosniff',
      'Referrer-Policy': 'no-referrer',
    }),
  });
};
