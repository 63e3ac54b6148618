import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { describeError } from '../../../shared/domain/log.ts';

const KEY = 'sk-proj-4dZq8Xw2Lk9TbN3v';

describe('of an error that nobody expected the log holds', () => {
  test('its class and places in the code', () => {
    const { code, stack } = describeError(new TypeError('of whatever'));
    expect(code).toBe('TypeError');
    expect(stack[0]).toMatch(/^(?:[\w.@-]+\/)*unit\/process\/log\.test\.ts:\d+:\d+$/);
    expect(stack.length).toBeLessThanOrEqual(8);
  });

  const place = `/app/${KEY}.ts:1:1`;
  const renamed = new Error('a name that came over the wire');
  renamed.name = KEY;
  const reworded = new Error(`first\n    at ${place}`);
  reworded.message = 'a later message';
  test.each<[string, unknown]>([
    ['a message', new Error(KEY)],
    ['a message that looks like places', new Error(`\n    at ${place}\n    at call (${place})\n    at ${KEY}:1:1`)],
    ['a message that was replaced', reworded],
    ['a name', renamed],
    ['a cause', new Error('x', { cause: new Error(KEY) })],
    ['several errors', new AggregateError([new Error(KEY)], 'x')],
    ['properties', Object.assign(new Error('x'), { command: { args: [KEY] }, headers: { authorization: KEY } })],
    ['a text that was thrown', KEY],
    ['an object that was thrown', { message: KEY, stack: `Error\n    at ${place}` }],
  ])('nothing of %s', (_, error) => {
    const shown = inspect(describeError(error), { depth: 9 });
    for (let at = 0; at + 6 <= KEY.length; at++) expect(shown).not.toContain(KEY.slice(at, at + 6));
  });
});
