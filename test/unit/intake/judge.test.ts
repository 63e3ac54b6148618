/** What becomes of what a provider does not take: one word for each thing, wherever it stands. */
import { expect, test } from 'vitest';
import { judge } from '../../../api/intake/support/judge.ts';
import { BODY_NAMES, LINE_NAMES } from '../../../api/intake/support/names.ts';
import { without } from '../../../api/intake/support/without.ts';
import { type CompletionRequest, completionRequest } from '../../../shared/domain/completion.ts';
import { dataUrl, png } from '../../support/media.ts';

const image = (url = 'https://a.invalid/a.png', detail?: string) => ({
  type: 'image_url',
  image_url: { url, ...(detail !== undefined && { detail }) },
});
const text = (said: string) => ({ type: 'text', text: said });
const requestOf = (messages: object[], more: object = {}): CompletionRequest =>
  completionRequest.parse({ model: 'm', messages, ...more });
const user = (...content: object[]) => ({ role: 'user', content });
const warned = (request: CompletionRequest) =>
  judge(request, { provider: 'bedrock', names: LINE_NAMES, onUnsupported: 'warn' });

test('what stands there often is told once, with how often, and all of it is left out', () => {
  const before = [user(text('a'), image(), text('b'), image()), user(image(), text('c'), image())];
  const { request, refusal, warnings } = warned(requestOf(before, { seed: 1 }));
  expect(refusal).toBeNull();
  expect(request).toEqual(requestOf([user(text('a'), text('b')), user(text('c'))]));
  expect(warnings).toEqual([
    {
      param: 'body.messages[0].content[1]',
      reason: 'AWS Bedrock does not take image_url: https; it was left out, here and in 3 more places.',
    },
    { param: 'body.seed', reason: 'AWS Bedrock does not take seed; it was left out.' },
  ]);
});

test('what stands in something that is left out goes with it, and is not told again', () => {
  const { request, warnings } = warned(requestOf([user(text('a'), image(undefined, 'low'))]));
  expect(request).toEqual(requestOf([user(text('a'))]));
  expect(warnings.map(({ param }) => param)).toEqual(['body.messages[0].content[1]']);
  const data = dataUrl('image/png', png());
  const kept = warned(requestOf([user(text('a'), image(data, 'low'))]));
  expect(kept.request).toEqual(requestOf([user(text('a'), image(data))]));
});

test('what would leave a message empty is refused', () => {
  const { refusal } = warned(requestOf([user(text('a')), user(image(), image())]));
  expect(refusal).toMatchObject({ code: 'unsupported_by_provider', param: 'body.messages[1].content[0]' });
});

test('an object that is left empty goes too, and the request that was judged stays as it was', () => {
  const asked = requestOf([user(text('a'))], { reasoning: { effort: 'minimal' }, temperature: 2 });
  const copy = structuredClone(asked);
  const { request, warnings } = warned(asked);
  expect(request).toEqual(requestOf([user(text('a'))]));
  expect(warnings.map(({ param }) => param)).toEqual(['body.temperature', 'body.reasoning.effort']);
  expect(asked).toEqual(copy);
});

test('arguments that a provider would get as other values are refused, and go as they are where they are text', () => {
  const called = (args: string) =>
    requestOf(
      [
        user(text('a')),
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: args } }],
        },
        { role: 'tool', tool_call_id: 'c', content: 'done' },
      ],
      { tools: [{ type: 'function', function: { name: 'f' } }] },
    );
  const changed = called('{"id":9007199254740993}');
  for (const provider of ['anthropic', 'bedrock'] as const) {
    for (const onUnsupported of ['reject', 'warn'] as const) {
      expect(judge(changed, { provider, names: BODY_NAMES, onUnsupported }).refusal).toMatchObject({
        code: 'unsupported_by_provider',
        param: 'messages[1].tool_calls[0].function.arguments',
      });
      expect(
        judge(called('{"id":9007199254740992}'), { provider, names: BODY_NAMES, onUnsupported }).refusal,
      ).toBeNull();
    }
  }
  expect(judge(changed, { provider: 'openai', names: BODY_NAMES, onUnsupported: 'reject' }).refusal).toBeNull();
});

test.each([
  [{ a: { b: 1 }, c: 2 }, ['a', 'b'], { c: 2 }],
  [{ a: { b: 1, d: 3 } }, ['a', 'b'], { a: { d: 3 } }],
  [{ a: [1, 2, 3] }, ['a', 1], { a: [1, 3] }],
  [{ a: [{ b: 1 }, 2] }, ['a', 0, 'b'], { a: [{}, 2] }],
  [{ a: [1] }, ['a', 0], null],
])('%o without %o', (value, path, left) => {
  expect(without(value, path)).toEqual(left);
});
