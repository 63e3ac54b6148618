import { hash } from 'node:crypto';
import { DIGESTED } from './vocabulary.ts';

const ALGORITHMS = ['md5', 'sha1', 'sha224', 'sha256', 'sha384', 'sha512'] as const;
/** Long enough that no random secret begins so. */
const TELLING_BYTES = 8;

const beginningOf = (bytes: Buffer): string => bytes.toString('hex', 0, TELLING_BYTES);

let known: ReadonlySet<string> | null = null;

/** As they are typed: small, with a capital, in capitals; and with the line's end that `echo` adds. */
const digestAll = (): ReadonlySet<string> =>
  new Set(
    DIGESTED.flatMap((word) => {
      const spellings = new Set([word, word.charAt(0).toUpperCase() + word.slice(1), word.toUpperCase()]);
      return [...spellings].flatMap((text) => [text, `${text}\n`]);
    }).flatMap((text) => ALGORITHMS.map((algorithm) => beginningOf(hash(algorithm, text, 'buffer')))),
  );

/** Whether the bytes begin with those of a common word's digest, or of nothing's. */
export const isKnownDigest = (bytes: Buffer): boolean => {
  if (bytes.length < TELLING_BYTES) return false;
  // Not before production asks: no other start needs them.
  known ??= digestAll();
  return known.has(beginningOf(bytes));
};
