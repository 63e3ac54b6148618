/** A body in foreign words, found to be JSON that can be understood in one way only. */

import { RequestError } from '../../../shared/domain/errors.ts';
import {
  MAX_MEMBER_NAME_BYTES,
  MAX_MEMBERS,
  type Members,
  memberValue,
  type Opaque,
  repeatedName,
  scanMembers,
} from '../../../shared/domain/json/members.ts';
import { MAX_DEPTH, MAX_VALUES } from '../../../shared/domain/json/scanner.ts';

export type ForeignBody = {
  bytes: Buffer;
  members: Members;
  opaque: Opaque;
  /** A member's value, built; undefined if there is none. Throws RequestError 400 for a name that stands twice somewhere in it. */
  value: (name: string) => unknown;
  /** The same of what is no longer than a name or a number; all else is `NO_SCALAR`, and is not built. */
  scalar: (name: string) => unknown;
};

/** Something that is neither a number nor true, false, null or a short text. */
export const NO_SCALAR: Readonly<Record<string, never>> = Object.freeze({});
const LONGEST_SCALAR = 1_024;
const LONGEST_SHOWN = 64;

/** Parsers in many languages take a name in any case for the one that they know; so may a provider's. */
export const folded = (name: string): string => name.normalize('NFKC').toUpperCase().toLowerCase();

const invalid = (message: string, param?: string): RequestError =>
  new RequestError('invalid_body', { ...(param !== undefined && { param }), message });

/** `read`: names of the members that anything here depends on. Throws RequestError 400. */
export const readForeign = (bytes: Buffer, read: readonly string[]): ForeignBody => {
  const scanned = scanMembers(bytes);
  if (!scanned.ok) {
    switch (scanned.flaw) {
      case 'byte_order_mark':
        throw new RequestError('invalid_json', { message: 'The body begins with a byte-order mark; leave it out.' });
      case 'not_utf8':
      case 'malformed':
        throw new RequestError('invalid_json');
      case 'too_deep':
        throw new RequestError('invalid_json', { message: `The body may be nested at most ${MAX_DEPTH} levels deep.` });
      case 'too_many':
        throw new RequestError('invalid_json', { message: `The body may have at most ${MAX_VALUES} values.` });
      case 'too_many_members':
        throw invalid(
          `The body may have at most ${MAX_MEMBERS} members of its own, under names of at most ${MAX_MEMBER_NAME_BYTES} bytes.`,
        );
      case 'not_an_object':
        throw invalid('The body must be an object.');
      case 'duplicate':
        throw invalid('This member stands twice; which of them counts, parsers see differently.', scanned.name);
    }
  }
  const { members, opaque } = scanned;
  const known = new Map(read.map((name) => [folded(name), name]));
  for (const name of members.keys()) {
    const meant = known.get(folded(name));
    if (meant !== undefined && meant !== name) throw invalid(`Write it exactly as ${meant}.`, name);
  }
  return {
    bytes,
    members,
    opaque,
    value: (name) => {
      const member = members.get(name);
      if (member === undefined) return undefined;
      const repeated = repeatedName(bytes, member);
      if (repeated !== null)
        throw invalid(`${repeated.slice(0, LONGEST_SHOWN)} stands twice in an object of it.`, name);
      return memberValue(bytes, member);
    },
    scalar: (name) => {
      const member = members.get(name);
      if (member === undefined) return undefined;
      const { kind, valueStart, valueEnd } = member;
      const isScalar = kind !== 'object' && kind !== 'array' && valueEnd - valueStart <= LONGEST_SCALAR;
      return isScalar ? memberValue(bytes, member) : NO_SCALAR;
    },
  };
};
