import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { splitDocument } from '../../../api/intake/uploads/split-document.ts';
import { cuts, splitAll, textsOf } from '../../support/network/chunks.ts';

const LIMIT_BYTES = 512;

/** Splits a document and parses what was cut out, as ingestion does; throws where any of it is not JSON. */
const read = (body: Buffer, sizes: readonly number[]) => {
  const members: Record<string, unknown> = {};
  const splitter = splitDocument({
    limitBytes: LIMIT_BYTES,
    maxLines: Infinity,
    onMember: (text) => {
      const [member, ...others] = Object.entries(JSON.parse(`{${text.toString()}}`) as object);
      if (member === undefined || others.length > 0) throw new Error('no member');
      members[member[0]] = member[1];
    },
  });
  const lines = splitAll(splitter, body, sizes);
  return { requests: textsOf(lines).map((text) => JSON.parse(text ?? 'too long') as unknown), members };
};

const json = fc.jsonValue({ maxDepth: 3 });
const members = fc.dictionary(
  fc.string({ maxLength: 8 }).filter((name) => name !== 'requests' && name !== '__proto__'),
  json,
  { maxKeys: 3 },
);
const document = fc
  .record({ requests: fc.array(json, { maxLength: 5 }), before: members, after: members, indent: fc.nat({ max: 2 }) })
  .map(({ requests, before, after, indent }) => {
    const others = { ...before, ...after };
    const text = JSON.stringify({ ...before, requests, ...after }, null, indent);
    return { requests, others, text };
  })
  .filter(({ text }) => text.length < LIMIT_BYTES);

test('however the bytes are cut into chunks, the requests and the other members are those of JSON.parse', () => {
  fc.assert(
    fc.property(document, cuts, ({ requests, others, text }, sizes) => {
      const found = read(Buffer.from(text), sizes);
      // JSON.stringify writes -0 as 0.
      expect(found).toEqual(JSON.parse(JSON.stringify({ requests, members: others })));
    }),
    { numRuns: 500 },
  );
});

test('what JSON.parse refuses is refused: no byte put in, left out or changed makes a document that only we can read', () => {
  const bytes = fc.constantFrom(...'{}[],:"\\ \n01a'.split('').map((text) => text.charCodeAt(0)), 0, 0xef, 0xff);
  const damage = fc.record({ at: fc.nat(), kind: fc.constantFrom('in', 'out', 'change'), byte: bytes });
  let [taken, refused] = [0, 0];
  fc.assert(
    fc.property(document, fc.array(damage, { minLength: 1, maxLength: 2 }), cuts, ({ text }, all, sizes) => {
      const body = [...Buffer.from(text)];
      for (const { at, kind, byte } of all) {
        body.splice(at % body.length, kind === 'in' ? 0 : 1, ...(kind === 'out' ? [] : [byte]));
      }
      const damaged = Buffer.from(body);
      let found: ReturnType<typeof read>;
      try {
        found = read(damaged, sizes);
      } catch {
        refused += 1;
        return;
      }
      taken += 1;
      const whole = JSON.parse(damaged.toString()) as { requests?: unknown };
      const { requests = [], ...others } = whole;
      // What stands there and is no list is a member like any other.
      expect(found).toEqual(Array.isArray(requests) ? { requests, members: others } : { requests: [], members: whole });
    }),
    { numRuns: 3_000 },
  );
  expect(taken).toBeGreaterThan(100);
  expect(refused).toBeGreaterThan(100);
});

describe.each([['in one piece', 1_000] as const, ['byte by byte', 1] as const])('%s:', (_, size) => {
  const readText = (text: string) => read(Buffer.from(text), [size]);

  test.each<[string, string, unknown[], object]>([
    ['no requests', '{"requests":[]}', [], {}],
    ['no member at all', ' {} ', [], {}],
    ['a byte order mark', '\uFEFF{"requests":[1]}', [1], {}],
    [
      'brackets, commas and quotes in strings',
      '{"requests":["]}","\\"],["],"a":"}\\\\"}',
      [']}', '"],['],
      { a: '}\\' },
    ],
    ['requests within a request', '{"requests":[{"requests":[1,2]}]}', [{ requests: [1, 2] }], {}],
    ['a list of another name', '{"a":[1,[2]],"requests":[3]}', [3], { a: [1, [2]] }],
    ['requests that are no list', '{"requests":{"a":[]}}', [], { requests: { a: [] } }],
  ])('%s', (_, text, requests, members) => {
    expect(readText(text)).toEqual({ requests, members });
  });

  test.each([
    ['an empty body', ''],
    ['an array', '[1]'],
    ['two documents', '{"requests":[1]}{"requests":[1]}'],
    ['text before', 'a{"requests":[1]}'],
    ['text after', '{"requests":[1]} x'],
    ['an end too early', '{"requests":[1'],
    ['an end within a string', '{"requests":["a]}'],
    ['two lists of requests', '{"requests":[1],"requests":[2]}'],
    ['a comma too many', '{"requests":[1,]}'],
    ['a comma too many between members', '{"requests":[1],,"a":1}'],
    ['a comma too few', '{"requests":[1]"a":1}'],
    ['brackets of the wrong kind', '{"requests":[1}]'],
    ['brackets of the wrong kind around it', '{"requests":[1]]'],
    ['brackets of the wrong kind within', '{"requests":[{"a":1]]}'],
    ['half a byte order mark', Buffer.from([0xef, 0xbb]).toString('latin1')],
    ['another member that is too long', `{"a":"${'x'.repeat(LIMIT_BYTES)}","requests":[]}`],
  ])('refused: %s', (_, text) => {
    expect(() => read(Buffer.from(text, 'latin1'), [size])).toThrow();
  });

  test('a request that is too long is cut out and not kept; the next one is whole again', () => {
    const text = `{"requests":["${'x'.repeat(LIMIT_BYTES * 3)}",{"a":1}]}`;
    const splitter = splitDocument({ limitBytes: LIMIT_BYTES, maxLines: Infinity, onMember: () => {} });
    expect(textsOf(splitAll(splitter, Buffer.from(text), [size]))).toEqual([null, '{"a":1}']);
  });
});
