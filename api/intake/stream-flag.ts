import { RequestError } from '../../shared/domain/errors.ts';

/** A body's `stream`; throws RequestError 400 for what is neither true nor false. */
export const streamFlag = (value: unknown): boolean => {
  const stream = value ?? false;
  if (typeof stream === 'boolean') return stream;
  throw new RequestError('invalid_body', { param: 'stream', message: 'stream must be true or false.' });
};
