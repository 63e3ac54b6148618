import { createHmac } from 'node:crypto';
import { deriveKey } from '../derive-key.ts';
import type { Peppers } from '../encryption/keyring.ts';

/**
 * What stands for a request beside its `Idempotency-Key`: one for each pepper, the first pepper's first.
 * Keyed, so that nobody who reads Redis can try out what was asked. `partsOf` gets the place of the pepper.
 */
export type RequestDigests = (partsOf: (pepper: number) => readonly (string | Buffer)[]) => [string, ...string[]];

export const createRequestDigests = ({ keys: [active, ...older] }: Peppers): RequestDigests => {
  const hmacKeyOf = ({ key }: (typeof older)[number]) => deriveKey(key, 'llm-gateway/request-digest/v1');
  const first = hmacKeyOf(active);
  const others = older.map(hmacKeyOf);
  return (partsOf) => {
    const under = (hmacKey: typeof first, pepper: number): string =>
      partsOf(pepper)
        .reduce((hmac, part) => hmac.update(part), createHmac('sha256', hmacKey))
        .digest('base64url');
    return [under(first, 0), ...others.map((hmacKey, index) => under(hmacKey, index + 1))];
  };
};
