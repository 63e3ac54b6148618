import { checkUserKey, type UserCredential } from '../../shared/keys/user/user-key.ts';
import type { ApiContext } from '../http/context.ts';
import { takeHeader } from '../http/server/request-secrets.ts';

/** The user's own credential, taken out of the headers; null if none is brought. Whoever seals it forgets it. */
export const broughtKey = (c: ApiContext, { sandbox }: { sandbox: boolean }): UserCredential | null => {
  const keys = takeHeader(c, 'X-User-API-Key');
  // Of two keys none is right: together they have no key's form.
  const key = keys.length === 0 ? undefined : keys.join(', ');
  return checkUserKey({ key, provider: c.req.header('x-user-provider') }, { sandbox });
};
