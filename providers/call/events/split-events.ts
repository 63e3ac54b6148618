/** Cuts a stream of bytes into server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream */
import { createGather } from './gather.ts';

const LF = 0x0a;
const CR = 0x0d;

/**
 * Events in their own bytes, the blank line included; blank lines before an event belong to it. Whatever the chunks are, the
 * bytes of all events are those of all chunks.
 */
export const createEventSplitter = () => {
  const held = createGather();
  let isLineEmpty = true;
  let hasLines = false;
  /** Whether the last byte was a CR, so that an LF behind it ends nothing more. */
  let isBehindCR = false;
  /** Whether the last line ended with both. */
  let endsInBoth = false;
  /** Whether the blank line's CR was the last byte of a chunk, in a stream whose lines end with both: its LF is on the way. */
  let awaitsLF = false;

  const take = (chunk: Buffer, from: number, end: number): Buffer => {
    hasLines = false;
    isLineEmpty = true;
    const part = chunk.subarray(from, end);
    if (held.size() === 0) return part;
    held.add(part);
    return held.take();
  };

  return {
    /** The events that end in this chunk. */
    push: function* (chunk: Buffer): Generator<Buffer> {
      if (chunk.length === 0) return;
      let from = 0;
      if (awaitsLF) {
        awaitsLF = false;
        from = chunk[0] === LF ? 1 : 0;
        yield take(chunk, 0, from);
      }
      for (let at = from; at < chunk.length; at += 1) {
        const byte = chunk[at];
        const isSecondHalf = byte === LF && isBehindCR;
        isBehindCR = byte === CR;
        if (isSecondHalf) {
          endsInBoth = true;
        } else if (byte !== CR && byte !== LF) {
          isLineEmpty = false;
          hasLines = true;
        } else if (!isLineEmpty || !hasLines) {
          isLineEmpty = true;
          endsInBoth = false;
        } else if (byte === CR && at + 1 === chunk.length && endsInBoth) {
          awaitsLF = true;
        } else {
          if (byte === CR && chunk[at + 1] === LF) {
            at += 1;
            isBehindCR = false;
          }
          yield take(chunk, from, at + 1);
          from = at + 1;
        }
      }
      held.add(chunk.subarray(from));
    },
    /** What came behind the last blank line, if anything did. */
    rest: (): Buffer | null => (held.size() > 0 ? held.take() : null),
  };
};

/** The value of a line that is this field's; null if it is none. */
const valueIn = (line: string, field: string): string | null => {
  if (line === field) return '';
  if (!line.startsWith(`${field}:`)) return null;
  const value = line.slice(field.length + 1);
  return value.startsWith(' ') ? value.slice(1) : value;
};

/** An event's name and its data, each null if it has none or it is empty. A comment has neither. */
export const fieldsOf = (event: Buffer): { name: string | null; data: string | null } => {
  const data: string[] = [];
  let name: string | null = null;
  // The decoder leaves out a byte-order mark, with which a stream may begin.
  for (const line of new TextDecoder().decode(event).split(/\r\n|\r|\n/)) {
    const text = valueIn(line, 'data');
    if (text === null) name = valueIn(line, 'event') ?? name;
    else data.push(text);
  }
  return { name: name || null, data: data.join('\n') || null };
};
