import { RequestError } from '../../shared/domain/errors.ts';
import type { Scope } from '../../shared/domain/tenants/caller.ts';
import type { ApiContext } from '../http/context.ts';

/** Who may make a call: a tenant whose key has this scope, the operator, or anyone. */
export type Access = Scope | 'operator' | 'anyone';

/** Whether the caller has a platform key, and with it a tenant. */
export const isOfTenant = (access: Access): access is Scope => access !== 'anyone' && access !== 'operator';

/** Refuses a key without the scope of this call. Who is no operator, or no tenant, was refused before it came to a route. */
export const demandAccess = (c: ApiContext, access: Access): void => {
  if (!isOfTenant(access) || c.get('caller').scopes.includes(access)) return;
  throw new RequestError('scope_missing', {
    message: `This platform key lacks the scope ${access}; use one that has it, or ask for a new one.`,
  });
};
