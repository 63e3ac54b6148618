/** The scanner by which a foreign body is understood: it must agree with JSON.parse on what is JSON, and see what any parser would. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Members, memberValue, repeatedName, scanMembers } from '../../../shared/domain/json/members.ts';
import { spliceMembers } from '../../../shared/domain/json/splice-members.ts';

const scan = (text: string | Buffer) => scanMembers(Buffer.from(text));
const membersOf = (bytes: Buffer): Members => {
  const scanned = scanMembers(bytes);
  if (!scanned.ok) throw new Error(JSON.stringify(scanned));
  return scanned.members;
};

/** Parses as the strictest reader does, and says which top-level names stand more than once. */
const isJson = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

describe('what is JSON', () => {
  const space = fc.stringMatching(/^[ \n\r\t]{0,2}$/);
  const written = fc
    .tuple(fc.array(fc.tuple(fc.string({ unit: 'binary' }), fc.jsonValue({ maxDepth: 6 }), space, space)), space)
    .map(([members, end]) => {
      const seen = new Map(members.map(([name, value, before, after]) => [name, { value, before, after }]));
      const text = [...seen].map(
        ([name, { value, before, after }]) =>
          `${before}${JSON.stringify(name)}${after}:${before}${JSON.stringify(value)}${after}`,
      );
      return { text: `${end}{${text.join(',')}${end}}${end}`, names: [...seen.keys()] };
    });

  test('is taken with its members in their order, whatever is in them', () => {
    fc.assert(
      fc.property(written, ({ text, names }) => {
        const bytes = Buffer.from(text);
        const members = membersOf(bytes);
        const parsed = JSON.parse(bytes.toString()) as Record<string, unknown>;
        expect([...members.keys()]).toEqual(names.map((name) => JSON.parse(JSON.stringify(name)) as string));
        for (const [name, member] of members) expect(memberValue(bytes, member)).toEqual(parsed[name]);
      }),
      { numRuns: 500 },
    );
  });

  test('and what is not is refused, wherever it was broken', () => {
    fc.assert(
      fc.property(
        written,
        fc.nat(),
        fc.constantFrom('', ',', ':', '"', '\\', '}', ']', '{', '1', ' x', '\u0001'),
        (made, at, put) => {
          const cut = at % (made.text.length + 1);
          const broken = made.text.slice(0, cut) + put + made.text.slice(cut + (at % 2));
          const wellFormed = Buffer.from(broken).toString();
          const scanned = scan(wellFormed);
          if (scanned.ok) expect(isJson(wellFormed)).toBe(true);
          else if (scanned.flaw === 'malformed') expect([wellFormed, isJson(wellFormed)]).toEqual([wellFormed, false]);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test.each([
    ['', { flaw: 'malformed', at: 0 }],
    ['   ', { flaw: 'malformed', at: 3 }],
    ['{', { flaw: 'malformed', at: 1 }],
    ['{"a":1', { flaw: 'malformed', at: 6 }],
    ['{"a":1,}', { flaw: 'malformed', at: 7 }],
    ['{"a":[1,]}', { flaw: 'malformed', at: 8 }],
    ['{"a":[}]}', { flaw: 'malformed', at: 6 }],
    ['{"a":{"b":1]}', { flaw: 'malformed', at: 11 }],
    ['{"a":1}{', { flaw: 'malformed', at: 7 }],
    ['{a:1}', { flaw: 'malformed', at: 1 }],
    ["{'a':1}", { flaw: 'malformed', at: 1 }],
    ['{"a":01}', { flaw: 'malformed', at: 6 }],
    ['{"a":+1}', { flaw: 'malformed', at: 5 }],
    ['{"a":NaN}', { flaw: 'malformed', at: 5 }],
    ['{"a":"\\x"}', { flaw: 'malformed', at: 6 }],
    ['{"a":"\\u12g4"}', { flaw: 'malformed', at: 6 }],
    ['{"a":"\n"}', { flaw: 'malformed', at: 6 }],
    ['{"a":"x', { flaw: 'malformed', at: 7 }],
    ['{"a":"x\\"}', { flaw: 'malformed', at: 10 }],
    ['{"a":1 /* b */}', { flaw: 'malformed', at: 7 }],
    ['[1]', { flaw: 'not_an_object' }],
    ['"text"', { flaw: 'not_an_object' }],
    ['\ufeff{"a":1}', { flaw: 'byte_order_mark' }],
    ['{"model":"a","model":"b"}', { flaw: 'duplicate', name: 'model' }],
    ['{"model":"a","mod\\u0065l":"b"}', { flaw: 'duplicate', name: 'model' }],
    [`{"a":${'['.repeat(300)}${']'.repeat(300)}}`, { flaw: 'too_deep' }],
  ])('%j is refused by its first fault', (text, flaw) => {
    expect(scan(text)).toEqual({ ok: false, ...flaw });
  });

  test('bytes that are no UTF-8 are refused', () => {
    expect(scan(Buffer.from([0x7b, 0x22, 0xc3, 0x28, 0x22, 0x3a, 0x31, 0x7d]))).toEqual({
      ok: false,
      flaw: 'not_utf8',
    });
  });
});

describe('a body that was made to take long', () => {
  const of = (unit: string): string => unit.repeat((8 * 1_048_576) / unit.length);
  const values = (unit: string, each: number): string => `[${unit.repeat(500_000 / each)}1]`;

  test.each([
    ['of escaped signs', `"${of('\\u0041')}"`],
    ['of escaped line ends', `"${of('\\n')}"`],
    ['of escaped quotes', `"${of('\\"')}"`],
    ['of backslashes', `"${of('\\\\')}"`],
    ['of numbers', values('1,', 1)],
    ['of empty arrays', values('[],', 1)],
    ['of small objects', values('{"a":1,"b":2},', 3)],
    ['of escaped names', values(`{"${'\\u0041'.repeat(4)}":1,"a":1},`, 3)],
  ])('%s is scanned as fast as any', (_, value) => {
    const bytes = Buffer.from(`{"messages":${value}}`);
    const took = Array.from({ length: 3 }, () => {
      const before = process.cpuUsage();
      const [member] = membersOf(bytes).values();
      if (member) expect(repeatedName(bytes, member)).toBeNull();
      return process.cpuUsage(before).user / 1_000;
    });
    // A pattern or a search for each escape, number or name takes from 200 to 500.
    expect(Math.min(...took)).toBeLessThan(150);
  });

  test('with many members of its own, or a long name among them, is refused', () => {
    const many = Array.from({ length: 1_025 }, (_, index) => `"a${index}":1`).join(',');
    expect(scan(`{${many}}`)).toEqual({ ok: false, flaw: 'too_many_members' });
    expect(scan(`{"${'a'.repeat(1_030)}":1}`)).toEqual({ ok: false, flaw: 'too_many_members' });
  });
});

test('names that stand twice are found among few and among many, and nowhere else', () => {
  const names = (count: number): string => Array.from({ length: count }, (_, index) => `"a${index}":1`).join(',');
  const repeated = (value: string): string | null => {
    const bytes = Buffer.from(`{"a":${value}}`);
    const [member] = membersOf(bytes).values();
    return member ? repeatedName(bytes, member) : null;
  };
  for (const count of [1, 7, 8, 9, 10, 100]) {
    expect(repeated(`[{${names(count)}},{${names(count)}}]`)).toBeNull();
    expect(repeated(`[{${names(count)},"\\u0061${count - 1}":1}]`)).toBe(`a${count - 1}`);
    expect(repeated(`[{${names(count)},"a0":1}]`)).toBe('a0');
  }
});

test('a number is what the grammar says', () => {
  const number = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
  fc.assert(
    fc.property(fc.stringMatching(/^[-+.eE0-9]{1,8}$/), (text) => {
      expect(scan(`{"a":${text}}`).ok).toBe(number.test(text));
    }),
    { numRuns: 3_000 },
  );
});

test('an escaped name is the name that it means', () => {
  const bytes = Buffer.from('{"mod\\u0065l" : "a", "\\u006d" : null}');
  expect([...membersOf(bytes).keys()]).toEqual(['model', 'm']);
});

describe('splices', () => {
  const BODY = Buffer.from(' {"model" : "a",\n "seed":9007199254740993,"t":1.0 ,"x":"\\u00e9" } ');
  const spliced = (splices: Record<string, string | null>): string =>
    spliceMembers(BODY, membersOf(BODY), splices).toString();

  test.each([
    [{}, BODY.toString()],
    [{ model: '"b"' }, ' {"model" : "b",\n "seed":9007199254740993,"t":1.0 ,"x":"\\u00e9" } '],
    [{ model: null }, ' {"seed":9007199254740993,"t":1.0 ,"x":"\\u00e9" } '],
    [{ t: null }, ' {"model" : "a",\n "seed":9007199254740993 ,"x":"\\u00e9" } '],
    [{ x: null }, ' {"model" : "a",\n "seed":9007199254740993,"t":1.0 } '],
    [{ t: null, x: null }, ' {"model" : "a",\n "seed":9007199254740993 } '],
    [{ stream: 'true' }, ' {"model" : "a",\n "seed":9007199254740993,"t":1.0 ,"x":"\\u00e9","stream":true } '],
    [{ x: null, y: null, stream: 'true' }, ' {"model" : "a",\n "seed":9007199254740993,"t":1.0,"stream":true } '],
    [{ model: null, seed: null, t: null, x: null }, ' { } '],
    [{ model: null, seed: null, t: null, x: null, y: '1' }, ' {"y":1 } '],
  ])('%j', (splices, result) => {
    expect(spliced(splices)).toBe(result);
    expect(isJson(result)).toBe(true);
  });

  test('change what they name and nothing else, in any body', () => {
    const names = fc.constantFrom('a', 'b', 'c', 'd', 'e', '__proto__');
    const body = fc
      .array(fc.tuple(names, fc.jsonValue({ maxDepth: 2 })), { maxLength: 6 })
      .map((pairs) => new Map(pairs));
    const wishes = fc
      .array(fc.tuple(names, fc.option(fc.jsonValue({ maxDepth: 1 }))), { maxLength: 4 })
      .map((pairs) => new Map(pairs));
    fc.assert(
      fc.property(body, wishes, (members, wished) => {
        const bytes = Buffer.from(
          `{${[...members].map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(', ')}}`,
        );
        const splices = Object.create(null) as Record<string, string | null>;
        for (const [name, value] of wished) splices[name] = value === null ? null : JSON.stringify(value);
        const expected = new Map([...members].filter(([name]) => wished.get(name) !== null || !wished.has(name)));
        for (const [name, value] of wished) if (value !== null) expected.set(name, value);
        const result = spliceMembers(bytes, membersOf(bytes), splices);
        const found = new Map([...membersOf(result)].map(([name, member]) => [name, memberValue(result, member)]));
        expect([...found.keys()].toSorted()).toEqual([...expected.keys()].toSorted());
        for (const [name, value] of expected) expect(JSON.stringify(found.get(name))).toBe(JSON.stringify(value));
      }),
      { numRuns: 500 },
    );
  });
});
