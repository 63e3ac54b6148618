import { createMiddleware } from 'hono/factory';
import { RequestError } from '../../../shared/domain/errors.ts';
import type { ClientAddress } from '../client-address.ts';
import type { ApiEnv } from '../context.ts';

/** They carry no key, and come from inside: a load balancer or an orchestrator asks the process itself. */
const PROBES: ReadonlySet<string> = new Set(['/healthz', '/readyz']);

/** Refuses what a trusted proxy does not say came over HTTPS. Never a redirect: the key crossed the network in clear already, and a client that is sent on would not notice. */
export const demandHttps = ({ cameOverHttps }: ClientAddress) =>
  createMiddleware<ApiEnv>(async (c, next) => {
    if (!PROBES.has(c.req.path) && !cameOverHttps(c.env.incoming)) throw new RequestError('https_required');
    await next();
  });
