import { createMiddleware } from 'hono/factory';
import { RequestError } from '../../shared/domain/errors.ts';
import type { Caller } from '../../shared/domain/tenants/caller.ts';
import type { ApiContext, ApiEnv } from '../http/context.ts';
import { type Authenticator, REMEMBERED_MS } from './authenticator.ts';
import type { FailedLogins } from './failed-logins.ts';
import { presentedPlatformKey } from './presented-key.ts';

export const authenticateTenant = (authenticator: Authenticator, failedLogins: FailedLogins) => {
  // A step of its own: the middleware goes on until the answer, and what it names lives as long.
  const callerOf = async (c: ApiContext): Promise<Caller> => {
    const { key, param } = presentedPlatformKey(c);
    const caller = await failedLogins.judged(c.env.incoming, key, authenticator.authenticate);
    if (caller === null) throw new RequestError('invalid_api_key', { param });
    return caller;
  };

  return createMiddleware<ApiEnv>(async (c, next) => {
    const caller = await callerOf(c);
    c.set('tenant', caller.tenant);
    c.set('caller', caller);
    const logged = c.get('logged');
    logged.tenant = caller.tenant;
    logged.platform_key = caller.platformKey;
    if (caller.disabled) throw new RequestError('tenant_disabled');
    const isLetInStill = (): Promise<boolean> => authenticator.letsInStill(caller);
    c.set('isLetInStill', isLetInStill);
    const startedMs = performance.now();
    await next();
    if (performance.now() - startedMs < REMEMBERED_MS) return;
    // What was waited for or sent for so long is told only to whoever may still ask. Where Redis is away, it stood by the route a moment ago.
    if (!(await isLetInStill().catch(() => true))) throw new RequestError('invalid_api_key');
  });
};
