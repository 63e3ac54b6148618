/** However a stream's bytes are cut on their way, its events are the same, in the same bytes. */
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { messageEvents } from '../../../providers/anthropic/message-events.ts';
import { chatEvents } from '../../../providers/call/chat/chat-events.ts';
import { type EventReader, readEvents } from '../../../providers/call/events/read-events.ts';
import { fieldsOf } from '../../../providers/call/events/split-events.ts';
import { responseEvents } from '../../../providers/openai/response-events.ts';
import { EXAMPLES, STREAMED_FORMATS, type StreamedFormat, written } from '../../support/network/stream-examples.ts';
import { createRandom } from '../../support/random.ts';

const READERS: Record<StreamedFormat, () => EventReader> = {
  'openai.chat': () => chatEvents({ hidesUsage: false, isError: () => false }),
  'openai.responses': responseEvents,
  'anthropic.messages': messageEvents,
};
const LINE_ENDS = [
  ['LF', '\n'],
  ['CRLF', '\r\n'],
  ['CR', '\r'],
] as const;

const read = async (reader: EventReader, chunks: readonly Buffer[]) => {
  const given: { text: string; kind: string }[] = [];
  const sink = { event: (bytes: Buffer, kind: string) => given.push({ text: bytes.toString('latin1'), kind }) };
  const { whole, given: all } = await readEvents(Readable.from(chunks, { objectMode: true }), { reader, sink }, null);
  return { given, whole, all: all.toString('latin1') };
};
const cut = (bytes: Buffer, places: readonly number[]): Buffer[] =>
  [0, ...places].map((place, at) => bytes.subarray(place, places[at]));

describe.each(STREAMED_FORMATS)('%s', (format) => {
  describe.each(LINE_ENDS)('with lines that end in %s', (_, lineEnd) => {
    const events = EXAMPLES[format].map((event) => Buffer.from(written(event, lineEnd)).toString('latin1'));
    const bytes = Buffer.from(events.join(''), 'latin1');
    const expectSame = async (chunks: readonly Buffer[]): Promise<void> => {
      const { given, whole, all } = await read(READERS[format](), chunks);
      const { whole: expected } = await read(READERS[format](), [bytes]);
      expect(given.map(({ text }) => text)).toEqual(events);
      expect(whole).toEqual(expected);
      expect(all).toBe(events.join(''));
    };

    test('it may be cut in two anywhere', async () => {
      for (let place = 0; place <= bytes.length; place += 1) await expectSame(cut(bytes, [place]));
    });

    test('it may come byte by byte', async () => {
      await expectSame(Array.from(bytes, (byte) => Buffer.of(byte)));
    });

    test.each([1, 2, 3, 4, 5])('it may be cut at random (seed %d)', async (seed) => {
      const random = createRandom(seed);
      for (let round = 0; round < 40; round += 1) {
        const places = Array.from({ length: random.below(30) }, () => random.below(bytes.length + 1));
        await expectSame(
          cut(
            bytes,
            places.sort((one, other) => one - other),
          ),
        );
      }
    });

    test('its last event may lack the blank line', async () => {
      for (const end of [lineEnd, lineEnd + lineEnd]) {
        const short = bytes.subarray(0, bytes.length - end.length);
        const { given, whole, all } = await read(READERS[format](), [short]);
        expect(given).toHaveLength(events.length);
        expect(all).toBe(short.toString('latin1'));
        expect(whole).not.toBeNull();
      }
    });
  });
});

test('comments, other fields and blank lines pass, and are no content', async () => {
  const hello = 'data: {"choices":[{"index":0,"delta":{"content":"Hello."},"finish_reason":"stop"}]}\n\n';
  const parts = ['\n\n: is coming\n\n', '\n\nid: 1\nretry: 5\n\n', ':\n\n', `: a\n${hello}`, 'data:[DONE]\n\n'];
  const { given, all } = await read(READERS['openai.chat'](), [Buffer.from(parts.join(''))]);
  expect(given).toEqual(parts.map((text, at) => ({ text, kind: at < 3 ? 'prelude' : 'content' })));
  expect(all).toBe(parts.join(''));
});

test('a stream may begin with a byte-order mark, and lines may end in different ways', async () => {
  const parts = [
    '\ufeffdata: {"choices":[{"index":0,"delta":{"content":"H"}}]}\r\n\n',
    'data: {"choices":[{"index":0,\rdata: "delta":{},"finish_reason":"stop"}]}\n\r\n',
    'data: [DONE]\r\r',
  ].map((part) => Buffer.from(part).toString('latin1'));
  const { given, whole } = await read(READERS['openai.chat'](), [Buffer.from(parts.join(''), 'latin1')]);
  expect(given.map(({ text }) => text)).toEqual(parts);
  expect(whole).toMatchObject({ choices: [{ finish_reason: 'stop' }] });
});

test('nothing behind the last event is handed on', async () => {
  const done = 'data: [DONE]\n\n';
  const { all } = await read(READERS['openai.chat'](), [Buffer.from(`${done}: bye\n\ndata: {"choices":[]}\n\n`)]);
  expect(all).toBe(done);
});

test('an event whose data is no JSON is none of an answer', async () => {
  for (const data of ['{"choices":', 'hello', '[DONE] ']) {
    const given: unknown[] = [];
    const body = Readable.from([Buffer.from(`: a\n\ndata: ${data}\n\ndata: [DONE]\n\n`)]);
    const reading = { reader: READERS['openai.chat'](), sink: { event: (bytes: Buffer) => given.push(bytes) } };
    await expect(readEvents(body, reading, null)).rejects.toThrow('did not come to its end');
    expect(given).toHaveLength(1);
    expect(body.destroyed).toBe(true);
  }
});

test.each([
  ['data: a\ndata:b\ndata\ndata:  c\n\n', { name: null, data: 'a\nb\n\n c' }],
  ['event: x\nevent:y\n\n', { name: 'y', data: null }],
  ['event:\ndata:\n\n', { name: null, data: null }],
  ['database: x\nevents: y\n: data: z\n\n', { name: null, data: null }],
  ['data:{"a":"é:\u2028"}', { name: null, data: '{"a":"é:\u2028"}' }],
])('%j has the fields %o', (event, fields) => {
  expect(fieldsOf(Buffer.from(event))).toEqual(fields);
});
