import { randomBytes } from 'node:crypto';
import { type Keyring, type Peppers, parseKeyring, parsePeppers } from '../../../shared/keys/encryption/keyring.ts';

/** A ring that is the same in every run, for what must stay readable from one release to the next. */
export const FIXED_RING = 'test:VGhpcyBrZXkgaXMgcHVibGljOiB0ZXN0cyBvbmx5ISE=';

/** Text of a ring with a new random key for each id. */
export const ringText = (...ids: string[]): string =>
  ids.map((id) => `${id}:${randomBytes(32).toString('base64')}`).join(',');

export const keyringOf = (text: string): Keyring => {
  const parsed = parseKeyring(text, 'KEY_ENCRYPTION_KEYS');
  if (!parsed.ok) throw new Error(parsed.problems.join(' '));
  return parsed.keys;
};

export const peppersOf = (text: string): Peppers => {
  const parsed = parsePeppers(text, 'KEY_PEPPERS');
  if (!parsed.ok) throw new Error(parsed.problems.join(' '));
  return parsed.keys;
};
