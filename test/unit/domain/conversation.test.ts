/** What a request may say: each thing that is wrong is told by its path, and nothing of it reaches a queue. */
import { describe, expect, test } from 'vitest';
import { parseJson } from '../../../api/http/body/parse-json.ts';
import { parseOr } from '../../../api/http/query/parse-or.ts';
import { completionBody } from '../../../api/intake/completion-body.ts';
import { RequestError } from '../../../shared/domain/errors.ts';
import { needsOf } from '../../../shared/domain/needs.ts';
import { dataUrl, gif, jpeg, PDF, png, webp } from '../../support/media.ts';

const parse = (body: unknown) => {
  const text = typeof body === 'string' ? body : JSON.stringify({ model: 'm', ...(body as object) });
  return parseOr('invalid_body', completionBody, parseJson(Buffer.from(text), 'The body'));
};
const refusalOf = (body: unknown): RequestError | null => {
  try {
    parse(body);
    return null;
  } catch (error) {
    if (error instanceof RequestError) return error;
    throw error;
  }
};

const HELLO = { role: 'user', content: 'Hello.' };
const call = (id: string, text = '{}') => ({ id, type: 'function', function: { name: 'f', arguments: text } });
const answer = (more: object) => ({ role: 'assistant', content: null, ...more });
const result = (id: string) => ({ role: 'tool', tool_call_id: id, content: 'done' });
const follow = (...messages: object[]) => ({ messages: [HELLO, ...messages] });
const image = (url: string) => ({ messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }] });
const file = (file_data: string) => ({
  messages: [{ role: 'user', content: [{ type: 'file', file: { file_data } }] }],
});
const tool = (of: object) => ({ type: 'function', function: { name: 'f', ...of } });
const IMAGE = 'messages[0].content[0].image_url.url';
const FILE = 'messages[0].content[0].file.file_data';
const ARGUMENTS = 'messages[1].tool_calls[0].function.arguments';
const whole = dataUrl('image/png', png());

describe('refused is', () => {
  test.each<[string, unknown, string, RegExp]>([
    ['an image that is cut off', image(whole.slice(0, -1)), IMAGE, /ends within its base64/],
    ['an image without bytes', image('data:image/png;base64,'), IMAGE, /ends within/],
    ['base64 for URLs', image('data:image/png;base64,iV-_'), IMAGE, /ends within/],
    ['an image that is text', image(dataUrl('image/png', 'Hello, I am no image.')), IMAGE, /its bytes are of no image/],
    ['a JPEG that says PNG', image(dataUrl('image/png', jpeg(2, 2))), IMAGE, /says image\/png, .* are image\/jpeg/],
    ['a drawing', image(dataUrl('image/svg+xml', '<svg/>')), IMAGE, /one of image\/png/],
    ['an image of no pixels', image(dataUrl('image/png', png(0, 5))), IMAGE, /without pixels/],
    ['an image of 100 megapixels and more', image(dataUrl('image/gif', gif(65_535, 1_526))), IMAGE, /100 megapixels/],
    ['a JPEG of them', image(dataUrl('image/jpeg', jpeg(20_000, 5_001))), IMAGE, /100 megapixels/],
    ['an image in clear', image('http://a.invalid/a.png'), IMAGE, /begin with https/],
    ['an image of a file', image('file:///etc/passwd'), IMAGE, /begin with https/],
    ['an image of nowhere', image('https://'), IMAGE, /must be a URL/],
    ['a long URL', image(`https://a.invalid/${'a'.repeat(8_192)}`), IMAGE, /8192 or fewer/],
    ['a file that is cut off', file(dataUrl('application/pdf', PDF).slice(0, -3)), FILE, /ends within/],
    ['a text that says PDF', file(dataUrl('application/pdf', 'Hello.')), FILE, /bytes are something else/],
    ['a PDF that says text', file(dataUrl('text/plain', Buffer.from([0x25, 0, 0xff]))), FILE, /something else/],
    ['a program', file(dataUrl('application/x-sh', 'ls')), FILE, /must be one of application\/pdf/],
    ['a file by its URL', file('https://a.invalid/a.pdf'), FILE, /begin with data:/],
    ['arguments that are no JSON', follow(answer({ tool_calls: [call('a', '{a:1}')] })), ARGUMENTS, /JSON object/],
    ['arguments that are a list', follow(answer({ tool_calls: [call('a', '[]')] })), ARGUMENTS, /JSON object/],
    ['arguments that are null', follow(answer({ tool_calls: [call('a', 'null')] })), ARGUMENTS, /JSON object/],
    [
      'two calls with one id',
      follow(answer({ tool_calls: [call('a'), call('a')] })),
      'messages[1].tool_calls[1].id',
      /different for each/,
    ],
    [
      'a later call with it',
      follow(answer({ tool_calls: [call('a')] }), result('a'), answer({ tool_calls: [call('a')] })),
      'messages[3].tool_calls[0].id',
      /different for each/,
    ],
    ['a result without its call', follow(result('a')), 'messages[1].tool_call_id', /must name a call/],
    [
      'a result of another call',
      follow(answer({ tool_calls: [call('a')] }), result('b')),
      'messages[2].tool_call_id',
      /must name a call/,
    ],
    [
      'a second result',
      follow(answer({ tool_calls: [call('a')] }), result('a'), result('a')),
      'messages[3].tool_call_id',
      /no result yet/,
    ],
    [
      'a question before all results',
      follow(answer({ tool_calls: [call('a'), call('b')] }), result('a'), HELLO),
      'messages[1].tool_calls',
      /must each have a result/,
    ],
    [
      'calls at the end',
      follow(answer({ tool_calls: [call('a')] })),
      'messages[1].tool_calls',
      /must each have a result/,
    ],
    ['no content and nothing beside it', follow(answer({})), 'messages[1].content', /unless tool_calls/],
    ['no calls', follow(answer({ tool_calls: [] })), 'messages[1].tool_calls', /1 or more entries/],
    [
      'blocks that say something else',
      follow({ role: 'assistant', content: 'a', parts: [{ type: 'text', text: 'b' }] }),
      'messages[1].parts',
      /must name the content/,
    ],
    [
      'blocks without one of the thoughts',
      follow({
        role: 'assistant',
        content: 'a',
        parts: [{ type: 'text', text: 'a' }],
        reasoning_details: [{ type: 'reasoning.encrypted', data: 'x' }],
      }),
      'messages[1].parts',
      /must name the content/,
    ],
    [
      'an image of the system',
      { messages: [HELLO, { role: 'system', content: image(whole).messages[0]?.content }] },
      'messages[1].content[0].type',
      /must be text|one of text/,
    ],
    [
      'two tools of one name',
      { ...follow(), tools: [tool({}), tool({})] },
      'tools[1].function.name',
      /different in each/,
    ],
    [
      'a tool of a long name',
      { ...follow(), tools: [tool({ name: 'n'.repeat(65) })] },
      'tools[0].function.name',
      /match/,
    ],
    [
      'a tool of another kind',
      { ...follow(), tools: [{ type: 'web_search' }] },
      'tools[0].type',
      /must be one of function/,
    ],
    ['no tools', { ...follow(), tools: [] }, 'tools', /1 or more entries/],
    [
      'a schema that is a list',
      { ...follow(), tools: [tool({ parameters: [] })] },
      'tools[0].function.parameters',
      /must be an object/,
    ],
    [
      'another form',
      { ...follow(), response_format: { type: 'xml' } },
      'response_format.type',
      /one of text, json_object, json_schema/,
    ],
    [
      'a form without its schema',
      { ...follow(), response_format: { type: 'json_schema' } },
      'response_format.json_schema',
      /required/,
    ],
    [
      'a seed past 2^53',
      `{"messages":[${JSON.stringify(HELLO)}],"seed":9007199254740993}`,
      'seed',
      /9007199254740991 or less/,
    ],
    ['an unknown wish', { ...follow(), on_unsupported: 'ignore' }, 'on_unsupported', /one of reject, warn/],
    [
      'a mark for a day',
      {
        messages: [
          { role: 'user', content: [{ type: 'text', text: 'a', cache_control: { type: 'ephemeral', ttl: '24h' } }] },
        ],
      },
      'messages[0].content[0].cache_control.ttl',
      /one of 5m, 1h/,
    ],
  ])('%s', (_, body, param, message) => {
    expect(refusalOf(body)).toMatchObject({ code: 'invalid_body', param, message: expect.stringMatching(message) });
  });

  const schema = (text: string): string =>
    `{"messages":[${JSON.stringify(HELLO)}],"tools":[{"type":"function","function":{"name":"f","parameters":${text}}}]}`;
  test.each([
    ['a number past 2^53', '{"properties":{"a":{"const":9007199254740993}}}'],
    ['a fraction with too many digits', '{"properties":{"a":{"const":0.12345678901234567890}}}'],
    ['a number without end', '{"maximum":1e999}'],
    ['names that are whole numbers, out of order', '{"properties":{"b":{},"2":{},"1":{}}}'],
    ['a name that stands there twice', '{"properties":{"a":{},"a":{}}}'],
    ['one that is spelled otherwise', '{"properties":{"a":{},"\\u0061":{}}}'],
  ])('a schema that reading would change: %s', (_, text) => {
    const refused = {
      code: 'invalid_body',
      param: 'tools[0].function.parameters',
      message: expect.stringMatching(/kept exactly/),
    };
    expect(refusalOf(schema(text))).toMatchObject(refused);
    const form = `{"messages":[${JSON.stringify(HELLO)}],"response_format":{"type":"json_schema","json_schema":{"name":"f","sch\\u0065ma":${text}}}}`;
    expect(refusalOf(form)).toMatchObject({ ...refused, param: 'response_format.json_schema.schema' });
  });

  test.each([
    '{"1":{},"2":{},"b":1.50}',
    '{"a":1e3,"b":-0.0,"c":12345678901234567000}',
    '{"properties":{"__proto__":{}}}',
  ])('but not %s, which it does not change', (text) => {
    const request = parse(schema(text));
    expect(request.tools?.[0]?.function.parameters).toEqual(JSON.parse(text));
  });
});

describe('accepted is', () => {
  test.each<[string, unknown]>([
    ['a PNG', image(whole)],
    ['a JPEG', image(dataUrl('image/jpeg', jpeg(640, 480)))],
    ['a GIF', image(dataUrl('image/gif', gif(1, 1)))],
    ['a WebP', image(dataUrl('image/webp', webp('VP8X', 10_000, 10_000)))],
    ['an image elsewhere', image('https://a.invalid/a.png')],
    ['a PDF', file(dataUrl('application/pdf', PDF))],
    ['a text with its charset', file(`data:text/plain;charset=utf-8;base64,${Buffer.from('é').toString('base64')}`)],
    ['an empty result of a tool', follow(answer({ tool_calls: [call('a')] }), { ...result('a'), content: '' })],
    ['results in another order', follow(answer({ tool_calls: [call('a'), call('b')] }), result('b'), result('a'))],
    ['a developer', follow({ role: 'developer', content: 'Be brief.' })],
    ['one stop', { ...follow(), stop: 'END' }],
  ])('%s', (_, body) => {
    expect(refusalOf(body)).toBeNull();
  });
});

test('what a request of the first form means is stored as it always was, and needs nothing of a worker', () => {
  const {
    metadata: _,
    on_unsupported: _wish,
    model = '',
    ...request
  } = parse({
    messages: [
      { role: 'system', content: [{ type: 'text', text: 'Be brief.' }] },
      HELLO,
      { role: 'assistant', content: '', finish_reason: 'length' },
    ],
    max_tokens: 5,
    stop: ['END'],
    temperature: 1,
    top_p: 1,
  });
  expect(JSON.stringify(request)).toBe(
    '{"messages":[{"role":"system","content":[{"type":"text","text":"Be brief."}]},{"role":"user","content":"Hello."},{"role":"assistant","content":""}],"max_tokens":5,"temperature":1,"top_p":1,"stop":["END"]}',
  );
  expect(needsOf({ model, ...request })).toEqual([]);
});

test.each<[string, object]>([
  ['a tool', { ...follow(), tools: [tool({})] }],
  ['a seed', { ...follow(), seed: 1 }],
  ['an image', image(whole)],
  [
    'a mark',
    { messages: [{ role: 'user', content: [{ type: 'text', text: 'a', cache_control: { type: 'ephemeral' } }] }] },
  ],
  ['a developer', follow({ role: 'developer', content: 'a' })],
  ['a refusal', follow({ role: 'assistant', content: 'a', refusal: 'a' })],
  ['a call with its result', follow(answer({ tool_calls: [call('a')] }), result('a'))],
])('%s needs a worker that knows it', (_, body) => {
  const { metadata: _pairs, on_unsupported: _wish, timeout_seconds: _time, model = '', ...request } = parse(body);
  expect(needsOf({ model, ...request })).toEqual(['requests/2']);
});
