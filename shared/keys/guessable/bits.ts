/**
 * How hard a secret is to guess, in bits, estimated from below: what follows from what stands before it counts nothing, and
 * neither does what people write or anybody can look up. Drawn at random, a secret of the shortest length that its setting takes is
 * far above the floor; written by hand, it is below. zxcvbn was tried in its place: it takes digits of π, sentences, hashes of words
 * and all that is encoded for random, and needs 40 ms for each secret at each start.
 */
import { isKnownDigest } from './known-digests.ts';
import { areNeighbours, followsInEnglish, KEYS_A_ROW, keyOf } from './letters.ts';
import { DOCUMENTED, FOUR_LETTERS, KNOWN_ROWS, LONG_WORD, SHORT_WORDS } from './vocabulary.ts';

/** What a credential needs that opens one tenant's door, where tries are limited; and what one needs that opens all. */
export const FLOOR_BITS = { tenant: 36, operator: 76 } as const;

/** As they are written in the place of letters: p4ssw0rd, $ecret. */
const LOOKALIKES: Readonly<Record<string, string>> = {
  0: 'o',
  1: 'l',
  3: 'e',
  4: 'a',
  5: 's',
  7: 't',
  $: 's',
  '@': 'a',
};

const IN_A_WORD_BITS = 1.75;
const IN_NO_WORD_BITS = 5;
const NEW_WORD_BITS = 5;
const NEIGHBOUR_BITS = 2;
const SEPARATOR_BITS = 1;
const DIGIT_BITS = Math.log2(10);
/** Of each digit: a day of the last and the next century is 14 bits, a year 6. */
const DATE_BITS = 1.75;
/** Of each letter of a word of four. */
const SHORT_WORD_BITS = 1.25;
/** Which of the encodings, and that there is one at all. */
const ENCODED_BITS = 16;

/** Words and numbers stand in it by chance. */
const IN_HEX = /^[0-9a-f:._-]+$/i;

/** How many bits a character adds that nothing foretells. */
const poolBits = (text: string): number => {
  if (/^[\d:._-]+$/.test(text)) return DIGIT_BITS;
  if (IN_HEX.test(text)) return 4;
  const classes: [RegExp, number][] = [
    [/[a-z]/, 26],
    [/[A-Z]/, 26],
    [/\d/, 10],
    [/[^A-Za-z0-9._~:/+=-]/, 24],
  ];
  return Math.log2(classes.reduce((sum, [pattern, size]) => sum + (pattern.test(text) ? size : 0), 2));
};

const MAX_STRIDE = 4;

/**
 * Whether every first, second, third or fourth up to `index` goes the same step: aaa, abc, 321, 112233, a1b2c3, 1357. Three are
 * enough for a step to a neighbour.
 */
const goesOn = (codes: ArrayLike<number>, index: number): boolean => {
  const step = (stride: number, back: number): number =>
    (codes[index - stride * back] ?? Number.NaN) - (codes[index - stride * (back + 1)] ?? Number.NaN);
  if (step(1, 0) === step(1, 1) && (Math.abs(step(1, 0)) <= 1 || Math.abs(step(1, 0)) === KEYS_A_ROW)) return true;
  for (let stride = 1; stride <= MAX_STRIDE; stride++) {
    if (step(stride, 0) === step(stride, 1) && step(stride, 1) === step(stride, 2)) return true;
  }
  return false;
};

/** The places of all matches. */
const placesOf = (text: string, pattern: RegExp): number[] =>
  [...text.matchAll(pattern)].flatMap(({ 0: found, index }) => Array.from(found).map((_, at) => index + at));

const WORDS_APART = /[A-Z]?[a-z]+|[A-Z]+/g;
const DAY = '(?:0[1-9]|[12]\\d|3[01])';
const MONTH = '(?:0[1-9]|1[0-2])';
const YEAR = '(?:19[3-9]|20[0-4])\\d';
const DATE = new RegExp(
  `(?<!\\d)(?:${YEAR}([-./]?)${MONTH}\\1${DAY}|(?:${DAY}([-./]?)${MONTH}|${MONTH}([-./]?)${DAY})[-./]?${YEAR}|${YEAR})(?!\\d)`,
  'g',
);

const ROW_PART = 8;
const ROW_PARTS: ReadonlySet<string> = new Set(
  [...KNOWN_ROWS, ...KNOWN_ROWS.map((row) => Array.from(row).toReversed().join(''))].flatMap((row) =>
    Array.from({ length: row.length - ROW_PART + 1 }, (_, at) => row.slice(at, at + ROW_PART)),
  ),
);

/** Also with letters for what stands in their place; in hex that makes words of what is none. */
const spellingsOf = (lower: string): string[] =>
  IN_HEX.test(lower)
    ? [lower]
    : [lower, lower.replace(/[013-57$@]/g, (character) => LOOKALIKES[character] ?? character)];

/** Which characters belong to a long word of the vocabulary, or to a row that everybody knows. */
const knownPlaces = (text: string): Set<number> => {
  const lower = text.toLowerCase();
  const known = new Set(spellingsOf(lower).flatMap((each) => placesOf(each, LONG_WORD)));
  for (const { 0: word, index } of text.matchAll(WORDS_APART)) {
    if (!SHORT_WORDS.includes(word.toLowerCase())) continue;
    for (let place = index; place < index + word.length; place++) known.add(place);
  }
  for (let at = 0; at + ROW_PART <= lower.length; at++) {
    if (!ROW_PARTS.has(lower.slice(at, at + ROW_PART))) continue;
    for (let place = at; place < at + ROW_PART; place++) known.add(place);
  }
  return known;
};

/** As it stands, of printable ASCII. */
const bitsAsWritten = (text: string): number => {
  if (DOCUMENTED.test(text)) return 0;
  const lower = text.toLowerCase();
  const codes = Buffer.from(lower, 'latin1');
  const keys = Array.from(text).map(keyOf);
  const known = knownPlaces(text);
  const inHex = IN_HEX.test(text);
  const dates = new Set(placesOf(text, DATE));
  const shortWords = new Set(spellingsOf(lower).flatMap((each) => placesOf(each, FOUR_LETTERS)));
  const pool = poolBits(text);
  const seen = new Set<string>();
  let bits = 0;
  let wasNeighbour = false;
  for (let index = 0; index < text.length; index++) {
    const triple = lower.slice(Math.max(index - 2, 0), index + 1);
    const foretold =
      known.has(index) ||
      goesOn(codes, index) ||
      (!inHex && goesOn(keys, index)) ||
      (triple.length === 3 && seen.has(triple));
    if (triple.length === 3) seen.add(triple);
    if (triple.length === 3 && !inHex) seen.add(Array.from(triple).toReversed().join(''));
    const [before = '', character = ''] = [text[index - 1], text[index]];
    // Two that touch do so by chance; three are a walk.
    const isNeighbour = index > 0 && areNeighbours(before, character);
    if (!foretold) {
      if (dates.has(index)) bits += DATE_BITS;
      else if (shortWords.has(index)) bits += SHORT_WORD_BITS;
      else bits += inHex ? pool : Math.min(pool, bitsAfter(before, character, isNeighbour && wasNeighbour));
    }
    wasNeighbour = isNeighbour;
  }
  return bits;
};

/** At most what a character adds to the one before it. */
const bitsAfter = (before: string, character: string, isWalk: boolean): number => {
  if (isWalk) return NEIGHBOUR_BITS;
  const areLetters = /^[A-Za-z]{2}$/.test(before + character);
  if (areLetters) {
    if (followsInEnglish(before.toLowerCase(), character.toLowerCase())) return IN_A_WORD_BITS;
    return /^[a-z][A-Z]$/.test(before + character) ? NEW_WORD_BITS : IN_NO_WORD_BITS;
  }
  if (/^\d{2}$/.test(before + character)) return DIGIT_BITS;
  return /[-_.:/ ]/.test(character) ? SEPARATOR_BITS : Number.POSITIVE_INFINITY;
};

/** What is shorter is too often something by chance: a text, and what differences show. */
const MIN_BYTES = { text: 8, raw: 16 } as const;

/** All that the text may be the encoding of. */
export const decodingsOf = (text: string): Buffer[] => {
  const digits = text.replace(/[-:\s]/g, '');
  return [
    ...(/^(?:[0-9a-f]{2})+$/i.test(digits) ? [Buffer.from(digits, 'hex')] : []),
    ...(/^(?:[A-Za-z0-9+/]+|[A-Za-z0-9_-]+)={0,2}$/.test(text) ? [Buffer.from(text, 'base64')] : []),
  ].filter(({ length }) => length >= MIN_BYTES.text);
};

/** Of a text of printable ASCII, or of what it encodes. */
export const bitsOfText = (text: string): number =>
  Math.min(bitsAsWritten(text), ...decodingsOf(text).map((bytes) => ENCODED_BITS + bitsOfBytes(bytes)));

const DIFFERENCES = 3;

/** Of bytes that are no text. What a polynomial or a repetition gives, its differences show. */
const bitsOfRawBytes = (bytes: Buffer): number => {
  if (bytes.length < MIN_BYTES.raw) return 8 * bytes.length;
  const seen = Array.from({ length: DIFFERENCES }, () => new Set<number>());
  const pairs = new Set<number>();
  let bits = 0;
  let before: number[] = [];
  for (const byte of bytes) {
    const differences = [byte];
    for (const [order, last] of before.slice(0, DIFFERENCES).entries()) {
      differences.push(((differences[order] ?? 0) - last) & 255);
    }
    const pair = before[0] === undefined ? -1 : before[0] * 256 + byte;
    const foretold = pairs.has(pair) || seen.some((values, order) => values.has(differences[order + 1] ?? -1));
    if (!foretold) bits += 8;
    if (pair >= 0) pairs.add(pair);
    for (const [order, values] of seen.entries()) {
      const difference = differences[order + 1];
      if (difference !== undefined) values.add(difference);
    }
    before = differences;
  }
  return bits;
};

/** A text with a byte or three of nothing beside each character, as UTF-16 and UTF-32 have it. */
const withoutZeros = (bytes: Buffer): Buffer => {
  const rest = bytes.filter((byte) => byte !== 0);
  return rest.length * 2 <= bytes.length ? Buffer.from(rest) : bytes;
};

/** Of a key's bytes. A text that was only encoded is judged as the text. */
export const bitsOfBytes = (bytes: Buffer): number => {
  if (isKnownDigest(bytes)) return 0;
  const text = withoutZeros(bytes).toString('latin1');
  return /^[\x20-\x7e\r\n\t]*$/.test(text) ? bitsOfText(text.trim()) : bitsOfRawBytes(bytes);
};
