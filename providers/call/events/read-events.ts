/** Reads an answer that comes as server-sent events: hands each on as it comes, and judges what all of them come to. */
import type { Readable } from 'node:stream';
import { createGather } from './gather.ts';
import { createEventSplitter, fieldsOf } from './split-events.ts';

/** The data of the event that ends a stream of OpenAI's first form, the only one that is no JSON. */
export const DONE = '[DONE]';

/** `name` is null if the event has none; `data` is `DONE`, or what its JSON comes to. */
export type AnswerEvent = { name: string | null; data: unknown };

/** `prelude`: says nothing yet that a second attempt could not say in its place. Nothing is read behind `last` and `failure`. */
export type EventKind = 'prelude' | 'content' | 'last' | 'hidden' | 'failure';

/** What one format's events come to. It keeps what answers are judged by, and no text. */
export type EventReader = {
  read: (event: AnswerEvent) => EventKind;
  /**
   * The answer, or the error, as it would have come in one piece; null if the events did not come to their end.
   */
  whole: () => unknown;
};

/**
 * Takes an answer's events as they come, in their own bytes, blank line included. What is hidden is never among them, nor a
 * failure: an error in the provider's own words may quote a key.
 */
export type EventSink = { event: (bytes: Buffer, kind: 'prelude' | 'content') => void };

export type EventReading = { reader: EventReader; sink: EventSink };

export type ReadAnswer = {
  whole: unknown;
  /** All that was given, in one. */
  given: Buffer;
  /** Whether content was among it. */
  hasContent: boolean;
};

/** A stream that ended before its answer did, or is none of the format's. Its text says nothing of what came. */
class BrokenStream extends Error {
  constructor() {
    super('a stream of events that did not come to its end');
    this.name = 'BrokenStream';
  }
}

const LINGER_MS = 1_000;

/** Lets a body run out whose last event is here, so that its connection can serve again; closes it if that takes long. */
const runOut = (body: Readable): void => {
  const timer = setTimeout(() => body.destroy(), LINGER_MS).unref();
  body
    .on('error', () => {})
    .once('close', () => clearTimeout(timer))
    .resume();
};

const parse = (text: string): unknown => {
  if (text === DONE) return DONE;
  try {
    return JSON.parse(text);
  } catch {
    throw new BrokenStream();
  }
};

/** Rejects if the body does, if `signal` aborts, and for a stream that does not come to its end. Gives nothing after that. */
export const readEvents = async (
  body: Readable,
  { reader, sink }: EventReading,
  signal: AbortSignal | null,
): Promise<ReadAnswer> => {
  const splitter = createEventSplitter();
  const given = createGather();
  let hasContent = false;

  const read = (bytes: Buffer): EventKind => {
    // Whoever aborted has gone on: a chunk that is here already is nobody's any more.
    signal?.throwIfAborted();
    const { name, data } = fieldsOf(bytes);
    return data === null ? 'prelude' : reader.read({ name, data: parse(data) });
  };
  const passOn = (bytes: Buffer, kind: EventKind): void => {
    if (kind === 'hidden' || kind === 'failure') return;
    const shown = kind === 'prelude' ? kind : 'content';
    hasContent ||= shown === 'content';
    given.add(bytes);
    sink.event(bytes, shown);
  };
  const readAll = async (): Promise<void> => {
    for await (const chunk of body.iterator({ destroyOnReturn: false })) {
      const bytes: Buffer = chunk;
      for (const event of splitter.push(bytes)) {
        const kind = read(event);
        passOn(event, kind);
        if (kind === 'last' || kind === 'failure') return runOut(body);
      }
    }
    const rest = splitter.rest();
    const kind = rest && read(rest);
    if (reader.whole() === null) throw new BrokenStream();
    if (rest !== null && kind !== null) passOn(rest, kind);
  };

  try {
    await readAll();
  } catch (error) {
    body.destroy();
    throw error;
  }
  return { whole: reader.whole(), given: given.take(), hasContent };
};

/** Whether a content type is that of such an answer. */
export const isEventStream = (contentType: string | null): boolean =>
  /^\s*text\/event-stream\s*(?:;|$)/i.test(contentType ?? '');
