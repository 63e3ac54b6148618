/** Bytes that come in chunks of any size, cut into numbered lines; no more than one line is ever held. */
import { RequestError } from '../../../shared/domain/errors.ts';
import { gatherBytes } from '../../http/body/gathered-bytes.ts';

/** One line, counted from 1; `bytes` is null where it is longer than the limit. Good until the next one is asked for. */
export type Line = { number: number; bytes: Buffer | null };

export type Splitter = {
  /** The lines that end in this chunk. Take all of them before the next chunk. */
  push: (chunk: Buffer) => Iterable<Line>;
  /** What no chunk has ended. */
  end: () => Iterable<Line>;
};

/** Of one line, and of the lines of one upload. */
export type LineLimits = { limitBytes: number; maxLines: number };

const LINE_FEED = 0x0a;

export const tooManyLines = (maxLines: number): RequestError =>
  new RequestError('body_too_large', {
    message: `A batch may have at most ${maxLines} lines, blank ones included; send the rest as another batch.`,
  });

/**
 * Lines of `application/x-ndjson`: each ends in a line feed, and the last one may end without. A carriage return before it stays, JSON takes it for a blank.
 * Blank lines are counted and left out. Throws RequestError 413 past the max number of lines.
 */
export const splitLines = ({ limitBytes, maxLines }: LineLimits): Splitter => {
  const held = gatherBytes(limitBytes);
  let number = 0;

  const line = (bytes: Buffer | null): Line[] => {
    number += 1;
    if (number > maxLines) throw tooManyLines(maxLines);
    return bytes && isBlank(bytes) ? [] : [{ number, bytes }];
  };

  return {
    *push(chunk) {
      let start = 0;
      for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
        if (held.size() === 0) {
          yield* line(end - start > limitBytes ? null : chunk.subarray(start, end));
        } else {
          held.add(chunk, start, end);
          yield* line(held.take());
        }
        start = end + 1;
      }
      held.add(chunk, start, chunk.length);
    },
    *end() {
      if (held.size() > 0) yield* line(held.take());
    },
  };
};

/** Whether JSON sees nothing here: its blanks are space, tab, line feed and carriage return (RFC 8259, 2). */
export const isBlank = (bytes: Buffer): boolean => bytes.every(isBlankByte);

export const isBlankByte = (byte: number): boolean =>
  byte === 0x20 || byte === LINE_FEED || byte === 0x0d || byte === 0x09;
