/**
 * The JSON form of a batch, `{"requests":[…], …}`, cut into the texts of its requests while it arrives; no more than one of them is ever held.
 * Only the outer two levels are read here. Every text that is cut out goes through JSON.parse afterwards, so nothing passes that JSON forbids.
 */
import { RequestError } from '../../../shared/domain/errors.ts';
import { gatherBytes } from '../../http/body/gathered-bytes.ts';
import { isBlank, isBlankByte, type Line, type LineLimits, type Splitter, tooManyLines } from './split-lines.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const BRACE = { open: 0x7b, close: 0x7d } as const;
const BRACKET = { open: 0x5b, close: 0x5d } as const;
const BYTE_ORDER_MARK = 0xef_bb_bf;

const REQUESTS = /^[ \t\r\n]*"requests"[ \t\r\n]*:[ \t\r\n]*$/;

const malformed = (): RequestError =>
  new RequestError('invalid_json', { message: 'The body is not one JSON object with a list "requests".' });

/**
 * The requests as lines, counted from 1. `onMember` gets the text of each other member, `"name": value`, as it ends; blank where there is a comma too many.
 * Throws RequestError 400 or 413 where the document is not one object with at most one list of requests, has too many of them, or another member is longer than the limit.
 */
export const splitDocument = ({
  limitBytes,
  maxLines,
  onMember,
}: LineLimits & { onMember: (text: Buffer) => void }): Splitter => {
  const held = gatherBytes(limitBytes);
  let level: 'before' | 'members' | 'requests' | 'after' = 'before';
  /** Of brackets within the text that is being cut out. */
  let depth = 0;
  let inString = false;
  let escaped = false;
  /** Whether the member's text so far holds a bracket: only its first one can open the requests, so each text is looked at once. */
  let opened = false;
  let mark = 0;
  let number = 0;
  let members = 0;
  let requests: 'none' | 'found' | 'just closed' | 'closed' = 'none';

  const endRequest = (isLast: boolean): Line[] => {
    const bytes = held.take();
    if (isLast && number === 0 && bytes && isBlank(bytes)) return [];
    number += 1;
    if (number > maxLines) throw tooManyLines(maxLines);
    return [{ number, bytes }];
  };
  const endMember = (isLast: boolean): void => {
    const bytes = held.take();
    opened = false;
    if (bytes === null) {
      throw new RequestError('body_too_large', { message: `A member may have at most ${limitBytes} bytes.` });
    }
    if (requests === 'just closed') {
      if (!isBlank(bytes)) throw malformed();
      requests = 'closed';
    } else if (!isLast || members > 0 || !isBlank(bytes)) {
      onMember(bytes);
    }
    members += 1;
  };
  const outside = (byte: number): void => {
    if (level === 'before' && byte > 0x7f) mark = (mark << 8) | byte;
    else if (level === 'before' && byte === BRACE.open && (mark === 0 || mark === BYTE_ORDER_MARK)) level = 'members';
    else if (!isBlankByte(byte)) throw malformed();
  };
  const opensRequests = (byte: number): boolean => {
    if (level !== 'members' || opened) return false;
    opened = true;
    if (byte !== BRACKET.open) return false;
    return REQUESTS.test(held.peek()?.toString('latin1') ?? '');
  };

  return {
    *push(chunk) {
      let start = 0;
      /** Everything before `end` belongs to the text; the byte there is a bracket or a comma around it. */
      const cut = (end: number): void => {
        held.add(chunk, start, end);
        start = end + 1;
      };
      for (let index = 0; index < chunk.length; index++) {
        const byte = chunk[index] ?? 0;
        if (inString) {
          if (escaped) escaped = false;
          else if (byte === BACKSLASH) escaped = true;
          else if (byte === QUOTE) inString = false;
        } else if (level === 'before' || level === 'after') {
          outside(byte);
          start = index + 1;
        } else if (byte === QUOTE) {
          inString = true;
        } else if (byte === BRACE.open || byte === BRACKET.open) {
          if (level === 'members' && depth === 0) {
            held.add(chunk, start, index);
            start = index;
          }
          if (!opensRequests(byte)) {
            depth += 1;
            continue;
          }
          if (requests !== 'none') throw malformed();
          held.take();
          start = index + 1;
          level = 'requests';
          requests = 'found';
        } else if (byte === BRACE.close || byte === BRACKET.close) {
          if (depth > 0) {
            depth -= 1;
          } else if (level === 'members' && byte === BRACE.close) {
            cut(index);
            endMember(true);
            level = 'after';
          } else if (level === 'requests' && byte === BRACKET.close) {
            cut(index);
            yield* endRequest(true);
            level = 'members';
            requests = 'just closed';
          } else {
            throw malformed();
          }
        } else if (byte === COMMA && depth === 0) {
          cut(index);
          if (level === 'members') endMember(false);
          else yield* endRequest(false);
        }
      }
      if (start < chunk.length) held.add(chunk, start, chunk.length);
    },
    end: () => {
      if (level !== 'after') throw malformed();
      return [];
    },
  };
};
