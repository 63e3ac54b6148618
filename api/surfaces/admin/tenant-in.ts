/** The tenant that a call’s path names. */
import { RequestError } from '../../../shared/domain/errors.ts';
import { isManagedTenantId, isTenantId, type TenantId } from '../../../shared/domain/ids.ts';
import type { ApiContext } from '../../http/context.ts';

export const noTenant = () => new RequestError('not_found', { message: 'There is no tenant of this id.' });

/** One that was created while the gateway ran. Throws RequestError 404. */
export const tenantIn = (c: ApiContext): TenantId => {
  const id = c.req.param('id') ?? '';
  if (!isManagedTenantId(id)) throw noTenant();
  return id;
};

/** Also a tenant of the configuration. Throws RequestError 404. */
export const workerIn = (c: ApiContext): TenantId => {
  const id = c.req.param('id') ?? '';
  if (!isTenantId(id)) throw noTenant();
  return id;
};
