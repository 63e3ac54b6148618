import { describe, expect, test } from 'vitest';
import { childOf, parseTraceparent, spanIdOf, traceIdOf } from '../../../shared/domain/traceparent.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

describe('a traceparent', () => {
  test.each([
    [`00-${TRACE}-${SPAN}-01`, `00-${TRACE}-${SPAN}-01`],
    [`00-${TRACE}-${SPAN}-00`, `00-${TRACE}-${SPAN}-00`],
    // Flags that version 00 does not know are not sent on.
    [`00-${TRACE}-${SPAN}-03`, `00-${TRACE}-${SPAN}-01`],
    [`00-${TRACE}-${SPAN}-fe`, `00-${TRACE}-${SPAN}-00`],
    // A later version is read as far as version 00 goes.
    [`cc-${TRACE}-${SPAN}-01`, `00-${TRACE}-${SPAN}-01`],
    [`cc-${TRACE}-${SPAN}-01-what-comes`, `00-${TRACE}-${SPAN}-01`],
  ])('%s is taken', (text, taken) => expect(parseTraceparent(text)).toBe(taken));

  test.each([
    undefined,
    '',
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01-more`,
    `00-${TRACE}-${SPAN}-01-`,
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE}-${SPAN}-1`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.slice(1)}-${SPAN}-01`,
    `00-${TRACE}g-${SPAN}-01`,
    ` 00-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01\n`,
    `cc-${TRACE}-${SPAN}-01.more`,
  ])('%j counts as absent', (text) => expect(parseTraceparent(text)).toBeNull());
});

test('a child stays in the trace with an id of its own; without a parent a trace begins', () => {
  const parent = parseTraceparent(`00-${TRACE}-${SPAN}-01`);
  const children = Array.from({ length: 100 }, () => childOf(parent));
  for (const child of children) {
    expect(parseTraceparent(child)).toBe(child);
    expect(traceIdOf(child)).toBe(TRACE);
  }
  expect(new Set([SPAN, ...children.map(spanIdOf)]).size).toBe(101);
  const roots = Array.from({ length: 100 }, () => childOf(null));
  for (const root of roots) expect(parseTraceparent(root)).toBe(root);
  expect(new Set(roots.map(traceIdOf)).size).toBe(100);
});
