/** Twice the input is twice the work: for every parser and validator of what a client sends or a provider streams, over hostile inputs in many chunk sizes. */
import { describe, expect, test } from 'vitest';
import type { z } from 'zod';
import { networkOf } from '../../api/access/failed-logins.ts';
import { gatherBytes } from '../../api/http/body/gathered-bytes.ts';
import { parseJson } from '../../api/http/body/parse-json.ts';
import { prefersCsv } from '../../api/http/headers/prefers-csv.ts';
import { parseOr } from '../../api/http/query/parse-or.ts';
import { batchBody, batchQuery } from '../../api/intake/uploads/batch-form.ts';
import { batchLine } from '../../api/intake/uploads/check-line.ts';
import { createSeenIds } from '../../api/intake/uploads/seen-ids.ts';
import { splitDocument } from '../../api/intake/uploads/split-document.ts';
import { type Splitter, splitLines } from '../../api/intake/uploads/split-lines.ts';
import { retryBody } from '../../api/surfaces/native/batches/retry-batch.ts';
import { completeBody } from '../../api/surfaces/native/jobs/complete.ts';
import { jobsQuery } from '../../api/surfaces/native/jobs/operations.ts';
import { deliveriesQuery, redeliverBody } from '../../api/surfaces/native/webhooks/deliveries.ts';
import { createEventSplitter, fieldsOf } from '../../providers/call/events/split-events.ts';
import { parseCursor } from '../../shared/domain/batches/batch.ts';
import { RequestError } from '../../shared/domain/errors.ts';
import { type BatchId, isDeliveryId, isRequestId } from '../../shared/domain/ids.ts';
import { parseTraceparent } from '../../shared/domain/traceparent.ts';
import { checkWebhookUrl } from '../../shared/domain/webhooks/webhook-url.ts';
import { holdsKey } from '../../shared/keys/key-shapes.ts';
import { platformKeyIdOf } from '../../shared/keys/platform/platform-key.ts';
import { checkUserKey } from '../../shared/keys/user/user-key.ts';

const SIZE = 65_536;
/** What is done within it says nothing of growth: a pause of the machine would. */
const NOTHING_MS = 6;
/** No parser may take longer for a byte, whatever else runs here. */
const MAX_MS_A_BYTE = 0.004;
const TIMES = 4;
/** 2.5 for each doubling; what is done for all that came before takes 16. */
const MAX_GROWTH = 2.5 ** 2;
const TRIES = 6;

const cpuMs = (work: () => void): number => {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
};

/** A refusal is as good as an answer here. */
const refusing = (work: () => unknown) => (): void => {
  try {
    work();
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
  }
};

/** How many times as long four times the input takes, the best of several tries: other processes only make it slower. */
const growthFrom = (size: number, run: (input: string) => unknown, make: (size: number) => string): number => {
  const timeOf = (length: number): number => cpuMs(refusing(run.bind(null, make(length))));
  let large = timeOf(TIMES * size);
  if (large > MAX_MS_A_BYTE * TIMES * size) return Number.POSITIVE_INFINITY;
  let small = timeOf(size);
  for (let tries = 1; tries < TRIES && large > NOTHING_MS && large / small > MAX_GROWTH; tries++) {
    large = Math.min(large, timeOf(TIMES * size));
    // Not the least: one that was quicker by chance would accuse the larger.
    small = Math.max(small, timeOf(size));
  }
  return large <= NOTHING_MS ? 1 : large / small;
};

/** What grows too fast does so at four times the size too; what the engine's compiler was slow with does not. */
const growthOf = (...of: [run: (input: string) => unknown, make: (size: number) => string]): number => {
  const growth = growthFrom(SIZE, ...of);
  return growth <= MAX_GROWTH || growth === Number.POSITIVE_INFINITY
    ? growth
    : Math.min(growth, growthFrom(TIMES * SIZE, ...of));
};

/** `growth` is Infinity past the absolute limit. */
const expectLinear = (run: (input: string) => unknown, inputs: readonly Input[]): void => {
  const found = inputs.map(([name, make]) => ({ name, growth: growthOf(run, make) }));
  expect(found.filter(({ growth }) => growth > MAX_GROWTH)).toEqual([]);
};

type Input = [name: string, make: (size: number) => string];

/** A text over and over between two others. */
const filled = (before: string, unit: string, after = ''): Input => [
  JSON.stringify([before, unit, after]),
  (size) => before + unit.repeat(Math.ceil(size / unit.length)) + after,
];
/** The same with a number that is another each time in the place of `#`. */
const counted = (before: string, unit: string, after = ''): Input => [
  JSON.stringify([before, unit, after]),
  (size) =>
    before +
    Array.from({ length: Math.ceil(size / (unit.length + 5)) }, (_, index) =>
      unit.replaceAll('#', `${index + 1e5}`),
    ).join('') +
    after,
];

const ALPHABET = [
  '[',
  ']',
  '{',
  '}',
  '"',
  '\\',
  ' ',
  '\n',
  ',',
  ':',
  '1',
  'a',
  '-',
  '.',
  '=',
  ';',
  '%',
  'é',
  '\u{1f600}',
];
const MIXES = [
  '[]',
  '{}',
  '""',
  '\\"',
  '\\\\',
  '"\\',
  '[1],',
  '{"a":1},',
  '"a":1,',
  '":',
  '[{',
  '[" ',
  ' [',
  '[,',
  '\\u0061',
  '\\ud800',
  '"requests":',
];
const UNITS = [...ALPHABET, ...MIXES];

describe('bytes are split in linear time', () => {
  const through = (splitter: () => Splitter, chunkBytes: number) => (input: string) => {
    const body = Buffer.from(input);
    const { push, end } = splitter();
    const drain = (lines: Iterable<unknown>): number => [...lines].length;
    for (let start = 0; start < body.length; start += chunkBytes) drain(push(body.subarray(start, start + chunkBytes)));
    drain(end());
  };
  const limitBytes = 1_048_576;
  const onMember = (text: Buffer): unknown =>
    parseJson(Buffer.concat([Buffer.from('{'), text, Buffer.from('}')]), 'The body');

  describe.each([1, 7, 4_096, Number.POSITIVE_INFINITY])('in chunks of %d bytes', (chunkBytes) => {
    test.each([
      '',
      '{',
      '{"x":',
      '{"x" ',
      '{"x":"',
      '{"requests" ',
      '{"requests":[',
      '{"requests":["',
      '{"requests":[],"x":',
    ])(
      'a document that begins with %s',
      (before) => {
        const run = through(() => splitDocument({ limitBytes, maxLines: Infinity, onMember }), chunkBytes);
        expectLinear(
          run,
          UNITS.map((unit) => filled(before, unit)),
        );
      },
      120_000,
    );

    test('events of an answer', () => {
      const run = (input: string): void => {
        const body = Buffer.from(input);
        const splitter = createEventSplitter();
        for (let start = 0; start < body.length; start += chunkBytes) {
          for (const event of splitter.push(body.subarray(start, start + chunkBytes))) fieldsOf(event);
        }
        fieldsOf(splitter.rest() ?? Buffer.alloc(0));
      };
      const units = [...UNITS, '\r', '\r\n', 'data\n', 'data:\r', ':\n\n', 'data: {}\n\n', 'event: x\r\n\r\n'];
      expectLinear(run, [
        ...units.map((unit) => filled('', unit)),
        ...units.map((unit) => filled('data: ', unit)),
        filled('data: a\r\n', 'b\r'),
      ]);
    }, 120_000);

    test('lines', () => {
      const run = through(() => splitLines({ limitBytes, maxLines: Infinity }), chunkBytes);
      expectLinear(
        run,
        UNITS.map((unit) => filled('', unit)),
      );
    }, 120_000);
  });

  test('a member of 250,000 pairs of brackets is read in less than a second', () => {
    const run = through(() => splitDocument({ limitBytes, maxLines: Infinity, onMember }), 65_536);
    expect(cpuMs(refusing(() => run(`{"x":${'[]'.repeat(250_000)}`)))).toBeLessThan(1_000);
  });

  test('a piece that comes byte by byte is gathered', () => {
    expectLinear(
      (input) => {
        const { add, take } = gatherBytes(limitBytes);
        const body = Buffer.from(input);
        for (let index = 0; index < body.length; index++) add(body, index, index + 1);
        take();
      },
      [filled('', 'a')],
    );
  });

  test('ids are found again', () => {
    const run = (input: string): void => {
      const { add } = createSeenIds();
      for (const id of input.split(',')) add(id);
    };
    expectLinear(run, [counted('', '#,'), counted('', '#\ud800,'), filled('', 'a,')]);
  });
});

describe('bodies are checked in linear time:', () => {
  const PLACES = [
    ['', ''],
    ['[', ']'],
    ['{', '}'],
    ['"', '"'],
    ['{"messages":[', ']}'],
    ['{"messages":[{"role":"user","content":[', ']}]}'],
    ['{"messages":[{"role":"user","content":"', '"}]}'],
    ['{"messages":[{"role":"user","content":"a",', '}]}'],
    ['{"stop":[', '],"messages":[{"role":"user","content":"a"}]}'],
    ['{"model":"', '","messages":[{"role":"user","content":"a"}]}'],
    ['{"metadata":{', '},"messages":[{"role":"user","content":"a"}]}'],
    ['{"metadata":{"a":"', '"},"messages":[{"role":"user","content":"a"}]}'],
    ['{"webhook":{"url":"', '"},"messages":[{"role":"user","content":"a"}]}'],
    ['{"webhook":{"url":"a","events":[', ']},"messages":[{"role":"user","content":"a"}]}'],
    ['{"max_tokens":', '}'],
    ['{"custom_id":"', '","body":{}}'],
    ['{"custom_id":"a","body":{', '}}'],
    ['{"only":[', ']}'],
    ['{"since":"', '"}'],
  ] as const;
  /** Each many times over, as entries, members and text. */
  const inside = (before: string, after: string): Input[] => [
    ...UNITS.map((unit) => filled(before, unit, after)),
    ...[
      '{},',
      '[],',
      '1,',
      '"a",',
      'null,',
      '{"type":"text"},',
      '{"role":"user"},',
      '{"type":"text","text":"a"},',
      '{"role":"user","content":[{}]},',
    ].map((unit) => filled(before, unit, `1${after}`)),
    ...['"#":1,', '"x#":1,', '"x#":{"y":[]},', '"\\ud800#":1,', '{"x#":1},'].map((unit) =>
      counted(before, unit, `"z":1${after}`),
    ),
    ...['sk-', 'sk-ant-', 'gk_', 'http://a.', '\\u0000', '2026-01-31T12:00:00', '0.', '1e'].map((unit) =>
      filled(before, unit, after),
    ),
  ];
  const SCHEMAS: Record<string, z.ZodType> = { completeBody, batchBody, batchLine, retryBody, redeliverBody };

  test.each(Object.entries(SCHEMAS))(
    '%s',
    (_, schema) => {
      const run = (input: string): unknown =>
        parseOr('invalid_body', schema, parseJson(Buffer.from(input), 'The body'));
      for (const [before, after] of PLACES) expectLinear(run, inside(before, after));
    },
    300_000,
  );
});

describe('texts of headers and queries are read in linear time:', () => {
  const UNITS_OF_TEXT = [
    ...UNITS,
    ',,',
    ', ',
    ';q=',
    ';q=0,',
    'a;',
    '="',
    '","',
    'wait=',
    ' wait = ',
    'charset=',
    '::',
    'ffff:',
    '[::1],',
    '1.',
    'gk_',
    'sk-ant-',
    'https://',
    '-00',
    '\t',
  ];
  const READERS: Record<string, (text: string) => unknown> = {
    Accept: prefersCsv,
    traceparent: parseTraceparent,
    'X-Request-Id': isRequestId,
    'X-API-Key': platformKeyIdOf,
    'X-User-API-Key': (key) => checkUserKey({ key, provider: 'openai' }, { sandbox: false }),
    'a key in a text': holdsKey,
    'the id of a delivery': isDeliveryId,
    'the cursor of results': (text) => parseCursor('batch_0000000000000000000000' as BatchId, text),
    'the cursor of results, decoded': (text) =>
      parseCursor('batch_0000000000000000000000' as BatchId, Buffer.from(text).toString('base64url')),
    'a webhook’s URL': (text) => checkWebhookUrl(text, { allowPrivate: false }),
    'an address': networkOf,
    'query of jobs': (after) => parseOr('invalid_query', jobsQuery, { after, limit: after, status: after }),
    'query of jobs, decoded': (text) =>
      parseOr('invalid_query', jobsQuery, { after: Buffer.from(text).toString('base64url') }),
    'query of deliveries': (after) => parseOr('invalid_query', deliveriesQuery, { after, job_id: after }),
    'query of a batch': (text) =>
      parseOr('invalid_query', batchQuery, { webhook_events: text, deadline_seconds: text }),
  };
  test.each(Object.entries(READERS))(
    '%s',
    (_, read) => {
      expectLinear(
        read,
        ['', '00-', 'gk_', 'https://', 'a;q=', '['].flatMap((before) =>
          UNITS_OF_TEXT.map((unit) => filled(before, unit, '!')),
        ),
      );
    },
    120_000,
  );
});
