import type { UserProvider } from '../../providers/catalogue.ts';
import type { RequestErrorCode } from '../../shared/domain/errors.ts';
import { checkUserKey, type UserCredential } from '../../shared/keys/user/user-key.ts';
import type { ApiContext } from '../http/context.ts';
import { takeHeader } from '../http/server/request-secrets.ts';

/** What a key that is brought can be refused with. */
export const BROUGHT_KEY_ERRORS = [
  'user_provider_required',
  'user_provider_unknown',
  'user_key_required',
  'user_key_malformed',
] as const satisfies readonly RequestErrorCode[];

/** The user's own credential, taken out of the headers; null if none is brought. Whoever seals it forgets it. `implied`: whose key it is, if nothing says so. */
export const broughtKey = (
  c: ApiContext,
  { sandbox }: { sandbox: boolean },
  implied?: UserProvider,
): UserCredential | null => {
  const keys = takeHeader(c, 'X-User-API-Key');
  // Of two keys none is right: together they have no key's form.
  const key = keys.length === 0 ? undefined : keys.join(', ');
  const provider = c.req.header('x-user-provider') ?? (key === undefined ? undefined : implied);
  return checkUserKey({ key, provider }, { sandbox });
};
