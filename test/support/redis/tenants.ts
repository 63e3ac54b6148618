import { isTenantId, type TenantId } from '../../../shared/domain/ids.ts';

export const tenant = (text: string): TenantId => {
  if (!isTenantId(text)) throw new Error('not a tenant id');
  return text;
};
