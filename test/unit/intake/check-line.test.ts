import { describe, expect, test } from 'vitest';
import { checkLine, type LineRules } from '../../../api/intake/uploads/check-line.ts';
import { RequestError } from '../../../shared/domain/errors.ts';

const RULES: LineRules = {
  defaultModel: 'house',
  limitBytes: 1_000,
  defaultTimeoutMs: 5_000,
  estimate: (request) => ({ request, tokens: 9, cost: null, refusal: null }),
};
const MESSAGES = [{ role: 'user', content: 'Hello!' }];

const check = (line: unknown, rules: Partial<LineRules> = {}) =>
  checkLine(Buffer.from(typeof line === 'string' ? line : JSON.stringify(line)), { ...RULES, ...rules });

test('a line becomes a request with what it leaves out filled in', () => {
  expect(check({ custom_id: 'a', body: { messages: MESSAGES } })).toEqual({
    customId: 'a',
    request: { model: 'house', messages: MESSAGES },
    metadata: {},
    timeoutMs: 5_000,
    tokens: 9,
    estimateNano: null,
  });
});

test('a line says its own model, limits and metadata', () => {
  const body = { model: 'm', messages: MESSAGES, max_tokens: 5, timeout_seconds: 7, metadata: { order: '42' } };
  expect(check({ custom_id: 'a', body })).toEqual({
    customId: 'a',
    request: { model: 'm', messages: MESSAGES, max_tokens: 5 },
    metadata: { order: '42' },
    timeoutMs: 7_000,
    tokens: 9,
    estimateNano: null,
  });
});

describe('a line is refused with what is wrong in it:', () => {
  const body = { messages: MESSAGES };
  test.each<[string, unknown, string, string | null, RegExp, Partial<LineRules>?]>([
    ['no JSON', 'hello', 'invalid_json', null, /^The line is not valid JSON in UTF-8\.$/],
    ['half of JSON', '{"custom_id":"a"', 'invalid_json', null, /^The line is not valid JSON/],
    ['a NUL', '{"custom_id":"a\0","body":{}}', 'invalid_json', null, /^The line is not valid JSON/],
    ['a second value', '{} {}', 'invalid_json', null, /^The line is not valid JSON/],
    ['nesting', `${'['.repeat(33)}${']'.repeat(33)}`, 'invalid_json', null, /^The line may be nested at most 32/],
    ['an array', [], 'invalid_body', null, /^The line must be an object\.$/],
    ['null', null, 'invalid_body', null, /^The line must be an object\.$/],
    ['no custom_id', { body }, 'invalid_body', 'custom_id', /is required/],
    ['an empty custom_id', { custom_id: '', body }, 'invalid_body', 'custom_id', /1 or more characters/],
    ['a custom_id too long', { custom_id: 'x'.repeat(257), body }, 'invalid_body', 'custom_id', /256 or fewer/],
    [
      'a key as custom_id',
      { custom_id: `sk-proj-${'a1'.repeat(8)}`, body },
      'invalid_body',
      'custom_id',
      /looks like a key/,
    ],
    ['a number as custom_id', { custom_id: 7, body }, 'invalid_body', 'custom_id', /must be a string/],
    ['half a character', '{"custom_id":"\\ud800","body":{}}', 'invalid_body', 'custom_id', /surrogate/],
    ['no body', { custom_id: 'a' }, 'invalid_body', 'body', /is required/],
    ['no messages', { custom_id: 'a', body: {} }, 'invalid_body', 'body.messages', /is required/],
    ['a webhook', { custom_id: 'a', body: { ...body, webhook: {} } }, 'invalid_body', 'body.webhook', /not known here/],
    [
      'a deadline',
      { custom_id: 'a', body: { ...body, deadline_seconds: 5 } },
      'invalid_body',
      'body.deadline_seconds',
      /not known here/,
    ],
    ['a user key', { custom_id: 'a', body, user_api_key: 'sk-x' }, 'invalid_body', 'user_api_key', /not known here/],
    [
      'a secret as a name',
      { custom_id: 'a', body, 'sk-x-1': 1 },
      'invalid_body',
      '(name not shown)',
      /^\(name not shown\) is not known/,
    ],
    [
      'no model with a user’s key',
      { custom_id: 'a', body },
      'invalid_body',
      'body.model',
      /required with X-User-API-Key/,
      { defaultModel: null },
    ],
    [
      'a model not allowed',
      { custom_id: 'a', body },
      'model_not_allowed',
      'body.model',
      /may not use/,
      {
        estimate: (request) => ({
          request,
          tokens: 9,
          cost: null,
          refusal: new RequestError('model_not_allowed', { param: 'body.model' }),
        }),
      },
    ],
  ])('%s', (_, line, code, param, message, rules) => {
    let thrown: unknown = null;
    try {
      check(line, rules);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(RequestError);
    expect(thrown).toMatchObject({ code, param, message: expect.stringMatching(message) });
  });

  test('bytes that are no UTF-8', () => {
    expect(() => checkLine(Buffer.from([0x22, 0xc3, 0x28, 0x22]), RULES)).toThrow('not valid JSON in UTF-8');
  });
  test('too many bytes', () => {
    expect(() => checkLine(null, RULES)).toThrow('The line may have at most 1000 bytes');
  });
});
