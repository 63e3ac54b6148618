/** Where the gateway's own secrets come from: peppers, and what seals users' keys. A ring is `id:base64,id:base64`; its first key makes what is new. */
import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Keyring, type Parsed, type Peppers, parseKeyring, parsePeppers } from '../../keys/encryption/keyring.ts';
import type { KmsSettings } from '../../keys/encryption/kms.ts';

/** What seals users' keys. */
export type KeyEncryption = { kind: 'keyring'; keyring: Keyring } | { kind: 'kms'; kms: KmsSettings };

type Reading = {
  /** The environment, without empty values. */
  given: Readonly<Record<string, string | undefined>>;
  production: boolean;
  /** Whether this process may be the first that needs them, and makes them; a command comes after the gateway. */
  makesKeys: boolean;
  /** Takes each problem, a sentence that holds no secret. */
  report: (problem: string) => void;
};

type RingText = { text: string /** Its place, as problems shall name it. */; name: string };

const SEALING = ['KEY_ENCRYPTION_KEYS', 'KEY_ENCRYPTION_FILE', 'KMS_KEY_ID'] as const;

/** Null where there is a problem. Outside production a missing ring is generated once, in `DATA_DIR`. */
export const readPeppers = (reading: Reading): Peppers | null => {
  const ring = givenOrGenerated('KEY_PEPPERS', 'peppers', reading);
  return ring && parsed(ring, parsePeppers, reading);
};

/**
 * As `readPeppers`, and null for a command that was given none: it seals nothing. `kms`: the settings for it; null where they are
 * not given, or wrong and reported.
 */
export const readKeyEncryption = (kms: KmsSettings | null, reading: Reading): KeyEncryption | null => {
  const { given, production, makesKeys, report } = reading;
  const chosen = SEALING.filter((name) => given[name]);
  if (chosen.length > 1) {
    report(`${chosen.join(' and ')} are set, and only one of them can seal users' keys: unset the others.`);
    return null;
  }
  if (chosen.length === 0 && !production && !makesKeys) return null;
  if (chosen[0] === 'KMS_KEY_ID') return kms && checkedKms(kms, reading);
  const path = given.KEY_ENCRYPTION_FILE;
  const ring = path
    ? readRingFile(path, reading)
    : givenOrGenerated('KEY_ENCRYPTION_KEYS', 'encryption-keys', reading, ', KEY_ENCRYPTION_FILE or KMS_KEY_ID');
  const keyring = ring && parsed(ring, parseKeyring, reading);
  return keyring && { kind: 'keyring', keyring };
};

const parsed = <Ring>(
  { text, name }: RingText,
  parse: (text: string, name: string) => Parsed<Ring>,
  { report }: Reading,
): Ring | null => {
  const ring = parse(text, name);
  if (ring.ok) return ring.keys;
  ring.problems.forEach(report);
  return null;
};

const checkedKms = (kms: KmsSettings, { report }: Reading): KeyEncryption | null => {
  const regions = kms.keyIds.flatMap((id) => (id.startsWith('arn:') ? [id.split(':')[3]] : []));
  const elsewhere = regions.some((region) => region !== kms.region);
  if (elsewhere) report('KMS_KEY_ID has a key of another region than AWS_REGION: use one that is there.');
  return elsewhere ? null : { kind: 'kms', kms };
};

/** Anybody on the machine, and in a container anything that breaks out of its user, could open every sealed key. */
const OPEN_TO_OTHERS = 0o007;

/** One entry a line, or separated by commas as in the variable. */
const readRingFile = (path: string, { production, report }: Reading): RingText | null => {
  const name = 'KEY_ENCRYPTION_FILE';
  try {
    if (production && (statSync(path).mode & OPEN_TO_OTHERS) !== 0) {
      report(`${name} can be read or changed by every user: chmod 0400 it, or 0440 (Kubernetes: defaultMode).`);
      return null;
    }
    return { text: readFileSync(path, 'utf8').trim().replaceAll(/\r?\n/g, ','), name };
  } catch (error) {
    report(`${name} names a file that cannot be read (${codeOf(error)}).`);
    return null;
  }
};

const givenOrGenerated = (name: string, file: string, reading: Reading, otherwise = ''): RingText | null => {
  const { given, production, makesKeys, report } = reading;
  const text = given[name];
  if (text) return { text, name };
  if (production) {
    report(`${name}${otherwise} is required in production: a value such as "k1:$(openssl rand -base64 32)".`);
    return null;
  }
  const path = join(given.DATA_DIR ?? '.data', file);
  try {
    return { text: makesKeys ? generateOnce(path) : readText(path), name: path };
  } catch (error) {
    const code = codeOf(error);
    report(
      makesKeys || code !== 'ENOENT'
        ? `${name} is not set, and ${path} can be neither read nor made (${code}); set it, or DATA_DIR.`
        : `${name} is not set, and ${path} is not there: no gateway has run with this DATA_DIR. Set either as the gateway has it, or start the gateway first.`,
    );
    return null;
  }
};

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? 'unknown';

const readText = (path: string): string => readFileSync(path, 'utf8').trim();

/** One random key for all local processes, however many start at once: written aside, then linked, and a link is made by one of them only. */
const generateOnce = (path: string): string => {
  if (!existsSync(path)) {
    mkdirSync(join(path, '..'), { recursive: true, mode: 0o700 });
    // Not by process id: containers that share the folder all run as process 1.
    const aside = `${path}.${randomUUID()}`;
    writeFileSync(aside, `local:${randomBytes(32).toString('base64')}`, { mode: 0o400 });
    try {
      linkSync(aside, path);
    } catch (error) {
      if (!existsSync(path)) throw error;
    } finally {
      rmSync(aside, { force: true });
    }
  }
  return readText(path);
};
