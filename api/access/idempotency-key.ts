import { RequestError } from '../../shared/domain/errors.ts';
import type { ApiContext } from '../http/context.ts';
import { takeOnce } from './presented-key.ts';

/** The client's `Idempotency-Key`; null where there is none. */
export const idempotencyKey = (c: ApiContext): string | null => {
  const key = takeOnce(c, 'Idempotency-Key');
  if (key === undefined) return null;
  if (!/^[\x20-\x7e]{1,255}$/.test(key)) {
    throw new RequestError('invalid_header', {
      param: 'Idempotency-Key',
      message: 'Idempotency-Key takes 1 to 255 printable ASCII characters.',
    });
  }
  return key;
};
