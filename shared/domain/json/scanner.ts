/** Steps over JSON in bytes, held against RFC 8259, without building anything of it. */

/** More than any request has; parsers of providers give up somewhere beyond it. */
export const MAX_DEPTH = 256;
/** Likewise. So the time that a body takes is bounded by its texts, which are passed quickly. */
export const MAX_VALUES = 524_288;

export type ValueKind = 'string' | 'number' | 'object' | 'array' | 'true' | 'false' | 'null';
/** `too_many_members`: or one under a name that is too long. */
export type TooMuchOf = 'too_deep' | 'too_many' | 'too_many_members';

export const QUOTE = 0x22;
export const BACKSLASH = 0x5c;
export const COMMA = 0x2c;
const COLON = 0x3a;
export const OPEN_OBJECT = 0x7b;
export const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
export const CLOSE_ARRAY = 0x5d;
const SPACE = 0x20;

export class Malformed extends Error {
  readonly at: number;
  constructor(at: number) {
    super('malformed');
    this.at = at;
  }
}

const isSpace = (byte: number | undefined): boolean =>
  byte === SPACE || byte === 0x0a || byte === 0x0d || byte === 0x09;

export const skipSpace = (bytes: Buffer, from: number): number => {
  let at = from;
  while (isSpace(bytes[at])) at += 1;
  return at;
};

const LETTER_U = 0x75;
/** What stands behind a backslash, and what of it is a digit of base 16. Looked up by a byte. */
const tableOf = (letters: string): Uint8Array => {
  const table = new Uint8Array(256);
  for (const letter of Buffer.from(letters)) table[letter] = 1;
  return table;
};
const SIMPLE_ESCAPES = tableOf('"\\/bfnrt');
const HEX = tableOf('0123456789abcdefABCDEF');
const HEX_DIGITS = 4;

const endOfEscape = (bytes: Buffer, from: number): number => {
  const letter = bytes[from + 1] ?? 0;
  if (SIMPLE_ESCAPES[letter] === 1) return from + 2;
  if (letter !== LETTER_U) throw new Malformed(from);
  const end = from + 2 + HEX_DIGITS;
  for (let at = from + 2; at < end; at += 1) if (HEX[bytes[at] ?? 0] !== 1) throw new Malformed(from);
  return end;
};

/**
 * The end of the string that begins at `from`; refuses control characters and escapes that JSON does not have. Byte by byte: a call
 * of anything for each escape would stop the process for seconds when there are millions of them.
 */
export const endOfString = (bytes: Buffer, from: number): number => {
  const { length } = bytes;
  let at = from + 1;
  while (at < length) {
    const byte = bytes[at] ?? 0;
    if (byte === QUOTE) return at + 1;
    if (byte < SPACE) throw new Malformed(at);
    at = byte === BACKSLASH ? endOfEscape(bytes, at) : at + 1;
  }
  throw new Malformed(length);
};

const LITERALS = [
  ['true', Buffer.from('true')],
  ['false', Buffer.from('false')],
  ['null', Buffer.from('null')],
] as const;
/** Longer numbers exist in no request. */
const MAX_NUMBER_BYTES = 1_023;

const MINUS = 0x2d;
const PLUS = 0x2b;
const POINT = 0x2e;
const ZERO = 0x30;
const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= ZERO && byte <= 0x39;

/** Behind one digit or more; refuses what has none. */
const skipDigits = (bytes: Buffer, from: number, number: number): number => {
  let at = from;
  while (isDigit(bytes[at])) at += 1;
  if (at === from) throw new Malformed(number);
  return at;
};

const endOfNumber = (bytes: Buffer, from: number): number => {
  const whole = bytes[from] === MINUS ? from + 1 : from;
  let at = bytes[whole] === ZERO ? whole + 1 : skipDigits(bytes, whole, from);
  if (bytes[at] === POINT && isDigit(bytes[at + 1])) at = skipDigits(bytes, at + 1, from);
  if (bytes[at] === 0x65 || bytes[at] === 0x45) {
    const sign = bytes[at + 1];
    const exponent = sign === PLUS || sign === MINUS ? at + 2 : at + 1;
    if (isDigit(bytes[exponent])) at = skipDigits(bytes, exponent, from);
  }
  if (at - from > MAX_NUMBER_BYTES) throw new Malformed(from);
  return at;
};

const startsWith = (bytes: Buffer, from: number, literal: Buffer): boolean => {
  for (let index = 0; index < literal.length; index += 1) if (bytes[from + index] !== literal[index]) return false;
  return true;
};

export const endOfScalar = (bytes: Buffer, from: number): { end: number; kind: ValueKind } => {
  const first = bytes[from];
  if (first === QUOTE) return { end: endOfString(bytes, from), kind: 'string' };
  if (first === MINUS || isDigit(first)) return { end: endOfNumber(bytes, from), kind: 'number' };
  for (const [kind, literal] of LITERALS) {
    if (startsWith(bytes, from, literal)) return { end: from + literal.length, kind };
  }
  throw new Malformed(from);
};

export const CLOSING: Readonly<Record<number, number>> = { [OPEN_OBJECT]: CLOSE_OBJECT, [OPEN_ARRAY]: CLOSE_ARRAY };

export class TooMuch extends Error {
  readonly flaw: TooMuchOf;
  constructor(flaw: TooMuchOf) {
    super(flaw);
    this.flaw = flaw;
  }
}

const OPAQUE_BYTES = 4_096;

/** Counts the values of one body. */
export class Counter {
  #values = 0;
  readonly opaque = { strings: 0, bytes: 0 };
  count(): void {
    this.#values += 1;
    if (this.#values > MAX_VALUES) throw new TooMuch('too_many');
  }
  countString(bytes: Buffer, start: number, end: number): void {
    if (end - start < OPAQUE_BYTES || bytes.subarray(start, end).includes(SPACE)) return;
    this.opaque.strings += 1;
    this.opaque.bytes += end - start;
  }
}

/** Steps over one value, with all that is in it. */
export const endOfValue = (bytes: Buffer, from: number, values: Counter): { end: number; kind: ValueKind } => {
  const opening = bytes[from] ?? 0;
  if (CLOSING[opening] === undefined) {
    const scalar = endOfScalar(bytes, from);
    if (scalar.kind === 'string') values.countString(bytes, from, scalar.end);
    return scalar;
  }
  const open: number[] = [];
  let at = from;
  // Each turn stands before a value, or before the end of what is empty.
  for (;;) {
    values.count();
    const byte = bytes[at] ?? 0;
    const closing = CLOSING[byte];
    if (closing !== undefined) {
      open.push(closing);
      if (open.length > MAX_DEPTH) throw new TooMuch('too_deep');
      at = skipSpace(bytes, at + 1);
      if (bytes[at] !== closing) {
        if (closing === CLOSE_OBJECT) at = stepOverName(bytes, at);
        continue;
      }
    } else {
      const { end, kind } = endOfScalar(bytes, at);
      if (kind === 'string') values.countString(bytes, at, end);
      at = skipSpace(bytes, end);
    }
    // Behind a value: whatever ends here ends, then the next one begins.
    while (open.length > 0 && bytes[at] === open.at(-1)) {
      open.pop();
      at = open.length === 0 ? at + 1 : skipSpace(bytes, at + 1);
    }
    if (open.length === 0) return { end: at, kind: opening === OPEN_OBJECT ? 'object' : 'array' };
    if (bytes[at] !== COMMA) throw new Malformed(at);
    at = skipSpace(bytes, at + 1);
    if (open.at(-1) === CLOSE_OBJECT) at = stepOverName(bytes, at);
  }
};

/** Steps over `"name" :` and the space behind it. `end`: of the name, if it is known. */
export const stepOverName = (bytes: Buffer, from: number, end?: number): number => {
  if (bytes[from] !== QUOTE) throw new Malformed(from);
  const colon = skipSpace(bytes, end ?? endOfString(bytes, from));
  if (bytes[colon] !== COLON) throw new Malformed(colon);
  return skipSpace(bytes, colon + 1);
};
