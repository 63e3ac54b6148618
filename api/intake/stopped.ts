/** The refusal of work whose tenant or key the operator stopped just now: the same as that of the next request. */
import { RequestError, type RequestErrorCode } from '../../shared/domain/errors.ts';
import type { StopReason } from '../../shared/domain/tenants/stops.ts';

const CODES = {
  key_revoked: 'invalid_api_key',
  tenant_disabled: 'tenant_disabled',
  tenant_deleted: 'invalid_api_key',
  tenant_erased: 'invalid_api_key',
  cancelled: 'conflict',
} as const satisfies Record<StopReason, RequestErrorCode>;

export const stoppedRequest = (reason: StopReason): RequestError =>
  new RequestError(CODES[reason], {
    ...(reason === 'cancelled' && {
      message: 'Whoever runs the gateway cancelled all work of this tenant while the batch came in; send it again.',
    }),
  });
