import { createHmac, createSecretKey, randomBytes, timingSafeEqual } from 'node:crypto';
import { createMiddleware } from 'hono/factory';
import { RequestError } from '../../shared/domain/errors.ts';
import type { Secret } from '../../shared/keys/secret.ts';
import type { ApiContext, ApiEnv } from '../http/context.ts';
import type { FailedLogins } from './failed-logins.ts';
import { presentedAdminToken } from './presented-key.ts';

/** Lets only the operator's token pass, and keeps a digest of it alone. */
export const authenticateOperator = (token: Secret, failedLogins: FailedLogins, onFailed: (c: ApiContext) => void) => {
  // Digests are of one length, so comparing them tells nothing of the token's.
  const secret = createSecretKey(randomBytes(32));
  const digest = (text: string): Buffer => createHmac('sha256', secret).update(text).digest();
  const wanted = digest(token.reveal());
  token.forget();

  return createMiddleware<ApiEnv>(async (c, next) => {
    const isOperator = await failedLogins.judged(
      c.env.incoming,
      presentedAdminToken(c),
      (presented) => timingSafeEqual(digest(presented), wanted) || null,
    );
    if (isOperator === null) {
      onFailed(c);
      throw new RequestError('invalid_api_key', {
        param: 'Authorization',
        message: 'This is not the token of this gateway’s operator.',
      });
    }
    await next();
  });
};
