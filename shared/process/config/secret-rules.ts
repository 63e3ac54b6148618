/**
 * What production demands of the secrets themselves: none can be guessed, and none stands in two places, whole or in part. An older entry of a ring
 * is only said to be so: until what was made under it has expired, nothing else can replace it.
 */
import type { KeyObject } from 'node:crypto';
import type { Peppers } from '../../keys/encryption/keyring.ts';
import { bitsOfBytes, bitsOfText, FLOOR_BITS } from '../../keys/guessable/bits.ts';
import type { PlatformKeyEntry } from '../../keys/platform/platform-keys.ts';
import { sharedSecrets } from '../../keys/shared-secrets.ts';
import type { KeyEncryption } from './key-settings.ts';

type Given = Readonly<Record<string, string | undefined>>;
type Rings = { peppers: Peppers | null; keyEncryption: KeyEncryption | null };

/** An older entry of a ring that would be refused in its first place, and why. */
export type WeakKey = { variable: string; ring_key: string; reason: string };

type Placed = {
  /** As problems name it. */
  place: string;
  bytes: Buffer;
  /** The bits that must be left to guess. */
  floor: number;
  /** Null: it can be replaced at once. */
  older: { variable: string; ring_key: string } | null;
  /** What is wrong with a secret of its kind alone; null if nothing is. */
  flaw: string | null;
};

const passwordIn = (text: string | undefined): string => {
  const password = URL.parse(text ?? '')?.password ?? '';
  try {
    return decodeURIComponent(password);
  } catch {
    return password;
  }
};

const GUESSABLE = 'can be guessed: it repeats itself, or consists of words or of what anybody can look up.';

const chosen = (given: Given, platformKeys: readonly PlatformKeyEntry[]): Placed[] =>
  [
    { place: 'ADMIN_TOKEN', text: given.ADMIN_TOKEN ?? '', floor: FLOOR_BITS.operator },
    ...platformKeys.map(({ key }, index) => ({
      place: `PLATFORM_API_KEYS: entry ${index + 1}`,
      text: key.reveal(),
      floor: FLOOR_BITS.tenant,
    })),
    ...['REDIS_URL', 'EPHEMERAL_REDIS_URL'].map((name) => ({
      place: `The password in ${name}`,
      text: passwordIn(given[name]),
      floor: FLOOR_BITS.tenant,
    })),
  ]
    .filter(({ text }) => text !== '')
    .map(({ place, text, floor }) => ({
      place,
      bytes: Buffer.from(text),
      floor,
      older: null,
      flaw: bitsOfText(text) < floor ? `${GUESSABLE} Make one with openssl rand -hex 32.` : null,
    }));

/** By AWS, at random. */
const ISSUED = ['AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_BEARER_TOKEN_BEDROCK'];

const issued = (given: Given): Placed[] =>
  ISSUED.flatMap((place) =>
    given[place]
      ? [{ place, bytes: Buffer.from(given[place]), floor: FLOOR_BITS.tenant, older: null, flaw: null }]
      : [],
  );

const REPLACE_ENTRY =
  'Put one from openssl rand -base64 32 before it, and keep it there until what was made under it has expired (docs/security/rotation.md).';

const inRings = (given: Given, { peppers, keyEncryption }: Rings): Placed[] => {
  const placed = (variable: string, keys: readonly { id: string; key: KeyObject }[]): Placed[] =>
    keys.map(({ id, key }, index) => {
      const bytes = key.export();
      return {
        place: `${variable}: entry ${index + 1}`,
        bytes,
        floor: FLOOR_BITS.operator,
        older: index > 0 ? { variable, ring_key: id } : null,
        flaw: bitsOfBytes(bytes) < FLOOR_BITS.operator ? `${GUESSABLE} ${REPLACE_ENTRY}` : null,
      };
    });
  return [
    ...placed('KEY_PEPPERS', peppers?.keys ?? []),
    ...placed(
      given.KEY_ENCRYPTION_FILE ? 'KEY_ENCRYPTION_FILE' : 'KEY_ENCRYPTION_KEYS',
      keyEncryption?.kind === 'keyring' ? keyEncryption.keyring.keys : [],
    ),
  ];
};

/** `weak`: what stands although it is no good. */
export const judgeSecrets = (
  given: Given,
  platformKeys: readonly PlatformKeyEntry[],
  rings: Rings,
): { problems: string[]; weak: WeakKey[] } => {
  const secrets = [...chosen(given, platformKeys), ...issued(given), ...inRings(given, rings)];
  const problems: string[] = [];
  const weak: WeakKey[] = [];
  for (const { place, flaw, older } of secrets) {
    if (flaw === null) continue;
    if (older) weak.push({ ...older, reason: 'can be guessed' });
    else problems.push(`${place} ${flaw}`);
  }
  for (const [first, later] of sharedSecrets(secrets)) {
    if (first.older && later.older) weak.push({ ...later.older, reason: `holds the same secret as ${first.place}` });
    else
      problems.push(
        `${later.place} holds the same secret as ${first.place}, whole or in part, as it stands or encoded: who learns one would have both. Make each on its own.`,
      );
  }
  return { problems, weak };
};
