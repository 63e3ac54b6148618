/**
 * The top-level members of a JSON object in bytes, found without parsing what is in them: a body that is sent on as it came
 * must not be understood in two ways. So all of it is held against RFC 8259, names are compared as they are meant
 * (`"mod\u0065l"` is `model`), and a name that stands twice is refused, because parsers differ in which one counts.
 */
import { isUtf8 } from 'node:buffer';
import {
  BACKSLASH,
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  CLOSING,
  COMMA,
  Counter,
  endOfScalar,
  endOfString,
  endOfValue,
  Malformed,
  OPEN_OBJECT,
  QUOTE,
  skipSpace,
  stepOverName,
  TooMuch,
  type TooMuchOf,
  type ValueKind,
} from './scanner.ts';

/** Of the object itself: each of them is compared by its name, and named in errors. */
export const MAX_MEMBERS = 1_024;
export const MAX_MEMBER_NAME_BYTES = 1_024;

/** Offsets in bytes, each end behind the last one. `start` is where the name begins, quotes included. */
export type Member = { name: string; start: number; valueStart: number; valueEnd: number; kind: ValueKind };

export type MembersFlaw =
  | { flaw: 'not_utf8' | 'byte_order_mark' | 'not_an_object' | TooMuchOf }
  /** `at`: the offset of the byte that cannot stand there; the length if the body ends too early. */
  | { flaw: 'malformed'; at: number }
  | { flaw: 'duplicate'; name: string };

export type Members = ReadonlyMap<string, Member>;
/** Long strings without a blank, such as images: how many there are, and their bytes in all. */
export type Opaque = { strings: number; bytes: number };
export type ScannedMembers = { ok: true; members: Members; opaque: Opaque } | ({ ok: false } & MembersFlaw);

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
