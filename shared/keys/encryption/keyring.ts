/**
 * The secrets this process is configured with: key-encryption keys, which seal users' keys, and peppers, which key HMACs.
 * The first of a ring is active: it makes new things. The others only open or recognise what they made while they were first.
 */
import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { deriveKey } from '../derive-key.ts';
import type { DataKeys } from './seal.ts';

type RingKey = { readonly id: string; readonly key: KeyObject };

type Use = 'encryption' | 'pepper';

/** `use` keeps the two kinds apart: a pepper is never taken for a key-encryption key. Ids and keys are unique in a ring. */
type Ring<For extends Use> = { readonly use: For; readonly keys: readonly [active: RingKey, ...older: RingKey[]] };
export type Keyring = Ring<'encryption'>;
export type Peppers = Ring<'pepper'>;

/** `problems` are whole sentences, one for each mistake. They tell entries apart by their place and hold nothing of what was given. */
export type Parsed<T> = { ok: true; keys: T } | { ok: false; problems: string[] };

const KEY_BYTES = 32;

/**
 * Key-encryption keys from `id:key,id:key`, each 32 bytes in base64 or in hex. `name`: the setting that the text came from, as
 * problems shall name it.
 */
export const parseKeyring = (text: string, name: string): Parsed<Keyring> => parseRing('encryption', text, name);

/** HMAC peppers, likewise but in base64 alone; each is 32 bytes or more. */
export const parsePeppers = (text: string, name: string): Parsed<Peppers> => parseRing('pepper', text, name);

const parseRing = <For extends Use>(use: For, text: string, name: string): Parsed<Ring<For>> => {
  const ring: RingKey[] = [];
  const ids = new Set<string>();
  const problems: string[] = [];

  text.split(',').forEach((entry, index) => {
    const { id, bytes } = parseEntry(use, entry.trim());
    const report = (problem: string) => problems.push(`${name}: entry ${index + 1} ${problem}.`);

    if (id === null) {
      report('must begin with an id of 1 to 16 characters a-z, 0-9 and "-", then a colon');
    } else if (ids.has(id)) {
      report('has the id of an earlier entry');
    } else {
      ids.add(id);
    }

    if (bytes === null) {
      report('must end in what "openssl rand -base64 32" or "openssl rand -hex 32" prints, whole and unchanged');
      return;
    }
    const fits = use === 'encryption' ? bytes.length === KEY_BYTES : bytes.length >= KEY_BYTES;
    if (!fits) {
      const wanted = use === 'encryption' ? `exactly ${KEY_BYTES} bytes` : `${KEY_BYTES} bytes or more`;
      report(`must decode to ${wanted}, and has ${bytes.length}`);
      return;
    }

    const key = createSecretKey(bytes);
    if (ring.some((earlier) => earlier.key.equals(key))) report('has the key of an earlier entry');
    // An entry with a bad id stays in the ring, so that later entries are compared with it; the ring is not given out then.
    ring.push({ id: id ?? '', key });
  });

  const [active, ...older] = ring;
  if (problems.length > 0 || active === undefined) return { ok: false, problems };
  return { ok: true, keys: { use, keys: [active, ...older] } };
};

const parseEntry = (use: Use, entry: string): { id: string | null; bytes: Buffer | null } => {
  const colon = entry.indexOf(':');
  const id = entry.slice(0, Math.max(colon, 0));
  return { id: /^[a-z0-9-]{1,16}$/.test(id) ? id : null, bytes: decode(use, entry.slice(colon + 1)) };
};

/**
 * The base64 of 32 bytes ends in "=", so hex digits alone were never an encryption key. A pepper may be longer: its hex digits have
 * always been what base64 makes of them, which is as random, and another reading would make another pepper of it.
 */
const decode = (use: Use, encoded: string): Buffer | null => {
  if (use === 'encryption' && /^(?:[0-9a-f]{2})+$/i.test(encoded)) return Buffer.from(encoded, 'hex');
  const bytes = Buffer.from(encoded, 'base64');
  // Node's decoder skips what it does not know; only a text that comes out the same was base64.
  return encoded !== '' && bytes.toString('base64') === encoded ? bytes : null;
};

const SALT_BYTES = 16;
const DATA_KEY_INFO = 'llm-gateway/data-key/v1';

/** Data keys derived from a local keyring. What is stored beside a secret is only the salt: useless without the keyring. */
export const localDataKeys = ({ keys }: Keyring): DataKeys => ({
  activeId: keys[0].id,
  hasOlder: keys.length > 1,
  issue: async () => {
    const [{ id, key }] = keys;
    const salt = randomBytes(SALT_BYTES);
    return { keyId: id, wrapped: salt, dataKey: deriveKey(key, DATA_KEY_INFO, salt) };
  },
  recover: async (keyId, wrapped) => {
    const found = keys.find(({ id }) => id === keyId);
    if (found === undefined) return { ok: false, reason: 'unknown_key' };
    if (wrapped.length !== SALT_BYTES) return { ok: false, reason: 'corrupt' };
    return { ok: true, dataKey: deriveKey(found.key, DATA_KEY_INFO, wrapped) };
  },
});
