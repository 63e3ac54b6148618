/**
 * The top-level members of a JSON object in bytes, found without parsing what is in them: a body that is sent on as it came
 * must not be understood in two ways. So all of it is held against RFC 8259, names are compared as they are meant
 * (`"mod\u0065l"` is `model`), and a name that stands twice is refused, because parsers differ in which one counts.
 */
import { isUtf8 } from 'node:buffer';

/** More than any request has; parsers of providers give up somewhere beyond it. */
const MAX_DEPTH = 256;
/** Likewise. So the time that a body takes is bounded by its texts, which are passed quickly. */
const MAX_VALUES = 524_288;
/** Of the object itself: each of them is compared by its name, and named in errors. */
const MAX_MEMBERS = 1_024;
const MAX_MEMBER_NAME_BYTES = 1_024;

export type MemberKind = 'string' | 'number' | 'object' | 'array' | 'true' | 'false' | 'null';
/** Offsets in bytes, each end behind the last one. `start` is where the name begins, quotes included. */
export type Member = { name: string; start: number; valueStart: number; valueEnd: number; kind: MemberKind };

/** `too_many_members`: or one under a name that is too long. */
type TooMuchOf = 'too_deep' | 'too_many' | 'too_many_members';
export type MembersFlaw =
  | { flaw: 'not_utf8' | 'byte_order_mark' | 'not_an_object' | TooMuchOf }
  /** `at`: the offset of the byte that cannot stand there; the length if the body ends too early. */
  | { flaw: 'malformed'; at: number }
  | { flaw: 'duplicate'; name: string };

export type Members = ReadonlyMap<string, Member>;
/** Long strings without a blank, such as images: how many there are, and their bytes in all. */
export type Opaque = { strings: number; bytes: number };
export type ScannedMembers = { ok: true; members: Members; opaque: Opaque } | ({ ok: false } & MembersFlaw);

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const SPACE = 0x20;

class Malformed extends Error {
  readonly at: number;
  constructor(at: number) {
    super('malformed');
    this.at = at;
  }
}

const isSpace = (byte: number | undefined): boolean =>
  byte === SPACE || byte === 0x0a || byte === 0x0d || byte === 0x09;

const skipSpace = (bytes: Buffer, from: number): number => {
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
const endOfString = (bytes: Buffer, from: number): number => {
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

const endOfScalar = (bytes: Buffer, from: number): { end: number; kind: MemberKind } => {
  const first = bytes[from];
  if (first === QUOTE) return { end: endOfString(bytes, from), kind: 'string' };
  if (first === MINUS || isDigit(first)) return { end: endOfNumber(bytes, from), kind: 'number' };
  for (const [kind, literal] of LITERALS) {
    if (startsWith(bytes, from, literal)) return { end: from + literal.length, kind };
  }
  throw new Malformed(from);
};

const CLOSING: Readonly<Record<number, number>> = { [OPEN_OBJECT]: CLOSE_OBJECT, [OPEN_ARRAY]: CLOSE_ARRAY };

class TooMuch extends Error {
  readonly flaw: TooMuchOf;
  constructor(flaw: TooMuchOf) {
    super(flaw);
    this.flaw = flaw;
  }
}

const OPAQUE_BYTES = 4_096;

/** Counts the values of one body. */
class Counter {
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
const endOfValue = (bytes: Buffer, from: number, values: Counter): { end: number; kind: MemberKind } => {
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
const stepOverName = (bytes: Buffer, from: number, end?: number): number => {
  if (bytes[from] !== QUOTE) throw new Malformed(from);
  const colon = skipSpace(bytes, end ?? endOfString(bytes, from));
  if (bytes[colon] !== COLON) throw new Malformed(colon);
  return skipSpace(bytes, colon + 1);
};

/** What a name means. */
const nameOf = (bytes: Buffer, start: number, end: number): string => {
  for (let at = start; at < end; at += 1) {
    if (bytes[at] === BACKSLASH) return JSON.parse(bytes.toString('utf8', start, end)) as string;
  }
  return bytes.toString('utf8', start + 1, end - 1);
};

const scan = (bytes: Buffer): ScannedMembers => {
  const members = new Map<string, Member>();
  const values = new Counter();
  const first = skipSpace(bytes, 0);
  if (bytes[first] !== OPEN_OBJECT) {
    if (first === bytes.length) throw new Malformed(first);
    endOfValue(bytes, first, values);
    return { ok: false, flaw: 'not_an_object' };
  }
  let at = skipSpace(bytes, first + 1);
  let isFirst = true;
  while (bytes[at] !== CLOSE_OBJECT) {
    if (!isFirst) {
      if (bytes[at] !== COMMA) throw new Malformed(at);
      at = skipSpace(bytes, at + 1);
    }
    isFirst = false;
    const start = at;
    if (bytes[start] !== QUOTE) throw new Malformed(start);
    const nameEnd = endOfString(bytes, start);
    if (members.size === MAX_MEMBERS || nameEnd - start > MAX_MEMBER_NAME_BYTES) throw new TooMuch('too_many_members');
    const valueStart = stepOverName(bytes, start, nameEnd);
    const name = nameOf(bytes, start, nameEnd);
    values.count();
    const { end: valueEnd, kind } = endOfValue(bytes, valueStart, values);
    if (members.has(name)) return { ok: false, flaw: 'duplicate', name };
    members.set(name, { name, start, valueStart, valueEnd, kind });
    at = skipSpace(bytes, valueEnd);
  }
  const end = skipSpace(bytes, at + 1);
  if (end !== bytes.length) throw new Malformed(end);
  return { ok: true, members, opaque: values.opaque };
};

/** The members of a body by name, in their order. Linear in its length; throws nothing. */
export const scanMembers = (bytes: Buffer): ScannedMembers => {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return { ok: false, flaw: 'byte_order_mark' };
  if (!isUtf8(bytes)) return { ok: false, flaw: 'not_utf8' };
  try {
    return scan(bytes);
  } catch (error) {
    if (error instanceof Malformed) return { ok: false, flaw: 'malformed', at: error.at };
    if (error instanceof TooMuch) return { ok: false, flaw: error.flaw };
    throw error;
  }
};

/** The value of a member, built: of one that is not large, or whose depths must be looked into. */
export const memberValue = (bytes: Buffer, { valueStart, valueEnd }: Member): unknown =>
  JSON.parse(bytes.toString('utf8', valueStart, valueEnd));

const NAMES_IN_A_LIST = 8;

/** Names of one object. Most have few, for which a set costs more than the rest of the work. */
class Names {
  readonly #few: string[] = [];
  #many: Set<string> | null = null;
  has(name: string): boolean {
    return this.#many?.has(name) ?? this.#few.includes(name);
  }
  add(name: string): void {
    if (this.#many === null && this.#few.push(name) > NAMES_IN_A_LIST) this.#many = new Set(this.#few);
    this.#many?.add(name);
  }
}

/** The first name that stands twice in one object anywhere in a member's value; null if none does. */
export const repeatedName = (bytes: Buffer, { valueStart }: Member): string | null => {
  const seen: (Names | null)[] = [];
  let at = valueStart;
  // The scanner has seen that it is JSON; each turn stands before a value, or before the end of what is empty.
  for (;;) {
    const byte = bytes[at] ?? 0;
    const closing = CLOSING[byte];
    let isBehindValue = true;
    if (closing !== undefined) {
      seen.push(closing === CLOSE_OBJECT ? new Names() : null);
      at = skipSpace(bytes, at + 1);
      isBehindValue = bytes[at] === closing;
    } else {
      at = skipSpace(bytes, endOfScalar(bytes, at).end);
    }
    if (isBehindValue) {
      while (seen.length > 0 && (bytes[at] === CLOSE_OBJECT || bytes[at] === CLOSE_ARRAY)) {
        seen.pop();
        at = skipSpace(bytes, at + 1);
      }
      if (seen.length === 0) return null;
      at = skipSpace(bytes, at + 1);
    }
    const names = seen.at(-1);
    if (!names) continue;
    const nameEnd = endOfString(bytes, at);
    const name = nameOf(bytes, at, nameEnd);
    if (names.has(name)) return name;
    names.add(name);
    at = stepOverName(bytes, at, nameEnd);
  }
};

/** A member's new value as JSON, or null to take it out. */
export type Splices = Readonly<Record<string, string | null>>;

/** The same body with some members changed, taken out or added at its end; every other byte stays. */
export const spliceMembers = (bytes: Buffer, members: Members, splices: Splices): Buffer => {
  const ordered = [...members.values()];
  const wish = ({ name }: Member): string | null | undefined =>
    Object.hasOwn(splices, name) ? splices[name] : undefined;
  const pieces: Buffer[] = [];
  let isFirst = true;
  // What stands before a member, a comma among it, goes with it; before the first there is none.
  let from = 0;
  for (const [index, member] of ordered.entries()) {
    const before = bytes.subarray(from, member.start);
    from = member.valueEnd;
    const json = wish(member);
    if (index === 0) pieces.push(before);
    if (json === null) continue;
    if (index > 0) pieces.push(isFirst ? Buffer.alloc(0) : before);
    pieces.push(bytes.subarray(member.start, member.valueStart));
    pieces.push(json === undefined ? bytes.subarray(member.valueStart, member.valueEnd) : Buffer.from(json));
    isFirst = false;
  }
  const end = ordered.length > 0 ? from : bytes.lastIndexOf(CLOSE_OBJECT);
  if (ordered.length === 0) pieces.push(bytes.subarray(0, end));
  const added = Object.entries(splices).filter(([name, json]) => json !== null && !members.has(name));
  const text = added.map(([name, json]) => `${JSON.stringify(name)}:${json}`).join(',');
  if (text !== '') pieces.push(Buffer.from(isFirst ? text : `,${text}`));
  pieces.push(bytes.subarray(end));
  return Buffer.concat(pieces);
};
