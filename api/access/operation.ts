/** Which paths there are, which methods each takes and what a caller needs for it; any other method is 405 with `Allow`. */
import type { Hono } from 'hono';
import { RequestError } from '../../shared/domain/errors.ts';
import type { Scope } from '../../shared/domain/tenants/caller.ts';
import type { ApiContext, ApiEnv } from '../http/context.ts';
import { type Access, demandAccess } from './demand-access.ts';

export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';
type Methods<A extends Access> = Partial<Record<Method, A>>;

/** What each call needs: a scope of the platform key, the operator's token, or nothing. A row without it, or with one of another part of the interface, does not compile. */
export const ROUTES = {
  '/v1/complete': { POST: 'jobs:write' },
  '/v1/jobs': { GET: 'jobs:read' },
  '/v1/jobs/:id': { GET: 'jobs:read', DELETE: 'jobs:write' },
  '/v1/jobs/:id/cancel': { POST: 'jobs:write' },
  '/v1/batches': { GET: 'jobs:read', POST: 'jobs:write' },
  '/v1/batches/:id': { GET: 'jobs:read', DELETE: 'jobs:write' },
  '/v1/batches/:id/results': { GET: 'jobs:read' },
  '/v1/batches/:id/cancel': { POST: 'jobs:write' },
  '/v1/batches/:id/retry': { POST: 'jobs:write' },
  '/v1/usage': { GET: 'usage:read' },
  '/v1/webhooks/deliveries': { GET: 'webhooks:manage' },
  '/v1/webhooks/deliveries/redeliver': { POST: 'webhooks:manage' },
  '/v1/webhooks/deliveries/:id/redeliver': { POST: 'webhooks:manage' },
  '/v1/webhooks/test': { POST: 'webhooks:manage' },
  '/v1/webhooks/secret': { GET: 'webhooks:manage' },
  '/v1/webhooks/secret/rotate': { POST: 'webhooks:manage' },
  '/admin/tenants': { GET: 'operator', POST: 'operator' },
  '/admin/tenants/:id': { GET: 'operator', PATCH: 'operator', DELETE: 'operator' },
  '/admin/tenants/:id/work': { GET: 'operator' },
  '/admin/tenants/:id/cancel': { POST: 'operator' },
  '/admin/tenants/:id/keys': { GET: 'operator', POST: 'operator' },
  '/admin/tenants/:id/keys/:keyId': { DELETE: 'operator' },
  '/admin/tenants/:id/keys/:keyId/rotate': { POST: 'operator' },
  '/admin/audit': { GET: 'operator' },
  '/admin/queues': { GET: 'operator' },
  '/': { GET: 'anyone' },
  '/healthz': { GET: 'anyone' },
  '/readyz': { GET: 'anyone' },
  '/metrics': { GET: 'anyone' },
  '/openapi.json': { GET: 'anyone' },
  '/docs': { GET: 'anyone' },
} as const satisfies {
  [path: `/v1/${string}`]: Methods<Scope>;
  [path: `/admin/${string}`]: Methods<'operator'>;
  '/': Methods<'anyone'>;
  [path: `/${string}z`]: Methods<'anyone'>;
  '/metrics': Methods<'anyone'>;
  '/openapi.json': Methods<'anyone'>;
  '/docs': Methods<'anyone'>;
};

export type Path = keyof typeof ROUTES;
export type Handler = (c: ApiContext) => Response | Promise<Response>;

/** The only way to add a path; its methods are those of its row. */
export const route = <P extends Path>(
  app: Hono<ApiEnv>,
  path: P,
  handlers: { [M in keyof (typeof ROUTES)[P]]: Handler },
): void => {
  // Casts because Object.entries forgets that the names are the row's.
  const row = Object.entries(ROUTES[path]) as [Method, Access][];
  for (const [method, access] of row) {
    const handler = handlers[method as keyof typeof handlers];
    app.on(method, path, (c) => {
      demandAccess(c, access);
      return handler(c);
    });
  }
  const allowed = row.flatMap(([method]) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', ');
  app.all(path, (c) => {
    c.header('Allow', allowed);
    throw new RequestError('method_not_allowed', { message: `This path takes ${allowed}.` });
  });
};
