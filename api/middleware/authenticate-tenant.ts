import { createMiddleware } from 'hono/factory';
import { RequestError } from '../../shared/errors.ts';
import type { Authenticator } from '../authenticator.ts';
import type { ApiEnv } from '../context.ts';
import type { FailedLogins } from '../failed-logins.ts';
import { presentedPlatformKey } from '../presented-key.ts';

export const authenticateTenant = (authenticator: Authenticator, failedLogins: FailedLogins) =>
  createMiddleware<ApiEnv>(async (c, next) => {
    const { key, param } = presentedPlatformKey(c);
    const caller = await failedLogins.judged(c.env.incoming, key, authenticator.authenticate);
    if (caller === null) throw new RequestError('invalid_api_key', { param });
    c.set('tenant', caller.tenant);
    c.set('caller', caller);
    const logged = c.get('logged');
    logged.tenant = caller.tenant;
    logged.platform_key = caller.platformKey;
    if (caller.disabled) throw new RequestError('tenant_disabled');
    await next();
  });
