/** What production demands of the secrets themselves: none can be guessed, and none stands in two places. */
import type { KeyObject } from 'node:crypto';
import type { Peppers } from '../../keys/encryption/keyring.ts';
import { bitsOfText, FLOOR_BITS } from '../../keys/guessable.ts';
import type { PlatformKeyEntry } from '../../keys/platform/platform-keys.ts';
import { type PlacedSecret, sharedSecrets } from '../../keys/shared-secrets.ts';
import type { KeyEncryption } from './key-settings.ts';

type Given = Readonly<Record<string, string | undefined>>;

/** Those of our own; what AWS issued is random. */
type Chosen = { place: string; text: string; floor: number; make: string };

const HEX = 'openssl rand -hex 32';

const passwordIn = (text: string | undefined): string => {
  const password = URL.parse(text ?? '')?.password ?? '';
  try {
    return decodeURIComponent(password);
  } catch {
    return password;
  }
};

const chosen = (given: Given, platformKeys: readonly PlatformKeyEntry[]): Chosen[] =>
  [
    { place: 'ADMIN_TOKEN', text: given.ADMIN_TOKEN ?? '', floor: FLOOR_BITS.operator, make: HEX },
    ...platformKeys.map(({ key }, index) => ({
      place: `PLATFORM_API_KEYS: entry ${index + 1}`,
      text: key.reveal(),
      floor: FLOOR_BITS.tenant,
      make: HEX,
    })),
    ...['REDIS_URL', 'EPHEMERAL_REDIS_URL'].map((name) => ({
      place: `The password in ${name}`,
      text: passwordIn(given[name]),
      floor: FLOOR_BITS.tenant,
      make: HEX,
    })),
  ].filter(({ text }) => text !== '');

const ISSUED = ['AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_BEARER_TOKEN_BEDROCK'];

type Rings = { peppers: Peppers | null; keyEncryption: KeyEncryption | null };

const ringSecrets = ({ peppers, keyEncryption }: Rings): PlacedSecret[] => {
  const placed = (name: string, keys: readonly { key: KeyObject }[]): PlacedSecret[] =>
    keys.map(({ key }, index) => ({ place: `${name}: entry ${index + 1}`, bytes: key.export() }));
  return [
    ...placed('KEY_PEPPERS', peppers?.keys ?? []),
    ...placed('The encryption keys', keyEncryption?.kind === 'keyring' ? keyEncryption.keyring.keys : []),
  ];
};

export const secretProblems = (given: Given, platformKeys: readonly PlatformKeyEntry[], rings: Rings): string[] => {
  const own = chosen(given, platformKeys);
  const guessable = own
    .filter(({ text, floor }) => bitsOfText(text) < floor)
    .map(
      ({ place, make }) => `${place} can be guessed: it repeats itself, or consists of words. Make one with ${make}.`,
    );
  const issued = ISSUED.flatMap((place) => (given[place] ? [{ place, text: given[place] }] : []));
  const placed = [...own, ...issued].map(({ place, text }) => ({ place, bytes: Buffer.from(text) }));
  const shared = sharedSecrets([...placed, ...ringSecrets(rings)]).map(
    ([place, other]) =>
      `${other} holds the same secret as ${place}, as it stands or encoded: who learns one would have both. Make each on its own.`,
  );
  return [...guessable, ...shared];
};
