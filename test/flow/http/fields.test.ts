import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FINISH_REASONS } from '../../../shared/domain/conversation/result.ts';
import type { Job } from '../../../shared/domain/jobs/schema.ts';
import { expectNothingRan, expectRefusal, HELLO } from '../../support/clients/refusal.ts';
import { exchange, request } from '../../support/network/raw.ts';
import {
  ANTHROPIC_KEY,
  type Answer,
  KEYS,
  OPENAI_KEY,
  startGateway,
  type TestGateway,
  userKey,
} from '../../support/processes/gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway({
    workers: 1,
    env: { MAX_BODY_BYTES: '1048576' },
    sandbox: { record: { limit: 100, keys: 'digest' } },
  });
});
afterAll(() => gateway.stop());

const post = (body: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
  gateway.call('POST', '/v1/complete', { body, headers });

const user = (content: unknown): object => ({ messages: [{ role: 'user', content }] });
const part = (more: object): object => user([{ type: 'text', text: 'a', ...more }]);
const HOOK = 'https://example.com/hook';
const ROLES = /one of system, developer, user, assistant, tool\.$/;
const HIDDEN = '(name not shown)';
const SURROGATE = /half of a surrogate pair/;
/** As a client may escape one, in either letter case, alone, doubled and in the wrong order. */
const HALVES = ['\\ud800', '\\uDFFF', 'a\\ud83d b', '\\ud800\\ud800', '\\ude00\\ud83d'];
const raw = (value: object): string => JSON.stringify(value).replaceAll('\\\\', '\\');
const long = 'k'.repeat(65);

const REFUSED: [string, unknown, string | null, RegExp][] = [
  ['an array', [], null, /must be an object/],
  ['null', null, null, /must be an object/],
  ['a string', '"hello"', null, /must be an object/],
  ['no messages', {}, 'messages', /is required/],
  ['messages that are an object', { messages: {} }, 'messages', /must be an array/],
  ['no message', { messages: [] }, 'messages', /1 or more entries/],
  ['1,001 messages', { messages: Array.from({ length: 1_001 }, () => HELLO.messages[0]) }, 'messages', /1000 or fewer/],
  ['no message of a user', { messages: [{ role: 'system', content: 'a' }] }, 'messages', /message of role user/],
  ['a message that is null', { messages: [null] }, 'messages[0]', /must be an object/],
  ['a message that is a string', { messages: [...HELLO.messages, 'a'] }, 'messages[1]', /must be an object/],
  ['no role', { messages: [{ content: 'a' }] }, 'messages[0].role', /is required/],
  ['another role', { messages: [{ role: 'function', content: 'a' }] }, 'messages[0].role', ROLES],
  ['a role in capitals', { messages: [{ role: 'User', content: 'a' }] }, 'messages[0].role', ROLES],
  ['no content', { messages: [{ role: 'user' }] }, 'messages[0].content', /is required/],
  ['empty content', user(''), 'messages[0].content', /1 or more characters/],
  ['content that is null', user(null), 'messages[0].content', /a string or an array/],
  ['content that is a number', user(5), 'messages[0].content', /a string or an array/],
  ['no parts', user([]), 'messages[0].content', /1 or more entries/],
  [
    '101 parts',
    user(Array.from({ length: 101 }, () => ({ type: 'text', text: 'a' }))),
    'messages[0].content',
    /100 or fewer/,
  ],
  ['a part that is a string', user(['a']), 'messages[0].content[0]', /must be an object/],
  ['a sound', user([{ type: 'input_audio' }]), 'messages[0].content[0].type', /one of text, image_url, file/],
  [
    'an image in clear',
    user([{ type: 'image_url', image_url: { url: 'http://a' } }]),
    'messages[0].content[0].image_url.url',
    /must begin with https/,
  ],
  ['a part without text', user([{ type: 'text' }]), 'messages[0].content[0].text', /is required/],
  ['an empty part', part({ text: '' }), 'messages[0].content[0].text', /1 or more characters/],
  ['a part of a number', part({ text: 5 }), 'messages[0].content[0].text', /must be a string/],
  ['an unknown field', { ...HELLO, stream: true }, 'stream', /not known/],
  [
    'an unknown field of a message',
    { messages: [{ ...HELLO.messages[0], name: 'a' }] },
    'messages[0].name',
    /not known/,
  ],
  ['an unknown field of a part', part({ cache: 1 }), 'messages[0].content[0].cache', /not known/],
  [
    'fields of OpenAI and Anthropic, all at once',
    {
      ...HELLO,
      max_completion_tokens: 5,
      system: 'a',
      stream: false,
      functions: [],
      best_of: 1,
      made_up: 1,
      'gk_0-0': 1,
    },
    'max_completion_tokens',
    /: max_completion_tokens \(use max_tokens\), system \(send it as a message of role system\), stream \(.*\), functions \(use tools\), best_of \(use n\), made_up, \(name not shown\); leave out what has no other form\.$/,
  ],
  [
    'input in the place of messages',
    { model: 'm', input: 'a' },
    'messages',
    /^messages is required\. input .* in messages\.$/,
  ],
  [
    'more unknown fields than are told',
    { ...HELLO, ...Object.fromEntries(Array.from('abcdefghijklmop', (name) => [name, 1])) },
    'a',
    /: a, b, c, d, e, f, g, h, and more; leave out/,
  ],
  ['a field with a name that is not plain', { ...HELLO, 'a-b': 1 }, HIDDEN, /not known/],
  ['a field with a name of 33 letters', { ...HELLO, [long.slice(0, 33)]: 1 }, HIDDEN, /not known/],
  ['a field with a name of 32 letters', { ...HELLO, [long.slice(0, 32)]: 1 }, long.slice(0, 32), /not known/],
  [
    'a field of a message with a name that is not plain',
    { messages: [{ ...HELLO.messages[0], '<b>': 1 }] },
    `messages[0].${HIDDEN}`,
    /not known/,
  ],
  [
    'a reason of the end that is none of ours',
    { messages: [{ role: 'assistant', content: 'a', finish_reason: 'end_turn' }] },
    'messages[0].finish_reason',
    /one of stop/,
  ],
  [
    'a reason of the end of a user’s message',
    { messages: [{ role: 'user', content: 'a', finish_reason: 'stop' }] },
    'messages[0].finish_reason',
    /not known/,
  ],
  [
    'an empty message of the system',
    { messages: [{ role: 'system', content: '' }] },
    'messages[0].content',
    /1 or more/,
  ],
  ...HALVES.flatMap((half): [string, unknown, string, RegExp][] => [
    [`${half} in a message`, raw({ messages: [{ role: 'user', content: half }] }), 'messages[0].content', SURROGATE],
    [`${half} in a part`, raw(part({ text: half })), 'messages[0].content[0].text', SURROGATE],
    [`${half} in a stop`, raw({ ...HELLO, stop: ['a', half] }), 'stop[1]', SURROGATE],
    [`${half} in a model`, raw({ ...HELLO, model: half }), 'model', SURROGATE],
    [`${half} in metadata`, raw({ ...HELLO, metadata: { a: half } }), 'metadata.a', SURROGATE],
    [`${half} in a name of metadata`, raw({ ...HELLO, metadata: { [half]: 'a' } }), `metadata.${HIDDEN}`, SURROGATE],
    [`${half} in a webhook`, raw({ ...HELLO, webhook: { url: half } }), 'webhook.url', SURROGATE],
  ]),
  ['a webhook without a URL', { ...HELLO, webhook: {} }, 'webhook.url', /required/],
  ['a webhook of no event', { ...HELLO, webhook: { url: HOOK, events: [] } }, 'webhook.events', /1 or more/],
  [
    'a webhook of an unknown event',
    { ...HELLO, webhook: { url: HOOK, events: ['job.started'] } },
    'webhook.events[0]',
    /job\.completed/,
  ],
  ['a webhook with another field', { ...HELLO, webhook: { url: HOOK, secret: 'a' } }, 'webhook.secret', /not known/],
  ['the name constructor', { ...HELLO, constructor: 1 }, 'constructor', /not known/],
  [
    'the name __proto__',
    '{"messages":[{"role":"user","content":"a"}],"__proto__":{"model":"a"}}',
    '__proto__',
    /not known/,
  ],
  ['messages by __proto__', '{"__proto__":{"messages":[{"role":"user","content":"a"}]}}', 'messages', /is required/],
  [
    '__proto__ in a message',
    '{"messages":[{"role":"user","content":"a","__proto__":{}}]}',
    'messages[0].__proto__',
    /not known/,
  ],
  [
    '__proto__ in metadata',
    '{"messages":[{"role":"user","content":"a"}],"metadata":{"__proto__":"a"}}',
    'metadata',
    /__proto__/,
  ],
  [
    'a value that only the first of two equal names has right',
    '{"max_tokens":5,"messages":[{"role":"user","content":"a"}],"max_tokens":0}',
    'max_tokens',
    /1 or more/,
  ],
  ['max_tokens 0', { ...HELLO, max_tokens: 0 }, 'max_tokens', /must be 1 or more/],
  ['max_tokens -1', { ...HELLO, max_tokens: -1 }, 'max_tokens', /must be 1 or more/],
  ['max_tokens 1.5', { ...HELLO, max_tokens: 1.5 }, 'max_tokens', /whole number/],
  ['max_tokens in a string', { ...HELLO, max_tokens: '5' }, 'max_tokens', /must be a number/],
  ['max_tokens null', { ...HELLO, max_tokens: null }, 'max_tokens', /must be a number/],
  ['max_tokens over the limit', { ...HELLO, max_tokens: 1_000_001 }, 'max_tokens', /1000000 or less/],
  [
    'max_tokens without end',
    '{"messages":[{"role":"user","content":"a"}],"max_tokens":1e999}',
    'max_tokens',
    /must be a number/,
  ],
  ['temperature below 0', { ...HELLO, temperature: -0.1 }, 'temperature', /0 or more/],
  ['temperature over 2', { ...HELLO, temperature: 2.1 }, 'temperature', /2 or less/],
  ['temperature in a string', { ...HELLO, temperature: '1' }, 'temperature', /must be a number/],
  ['top_p below 0', { ...HELLO, top_p: -0.1 }, 'top_p', /0 or more/],
  ['top_p over 1', { ...HELLO, top_p: 1.1 }, 'top_p', /1 or less/],
  ['stop as a number', { ...HELLO, stop: 5 }, 'stop', /must be a string or an array/],
  ['an empty stop that stands alone', { ...HELLO, stop: '' }, 'stop', /1 or more characters/],
  ['no stop', { ...HELLO, stop: [] }, 'stop', /1 or more entries/],
  ['five stops', { ...HELLO, stop: ['a', 'b', 'c', 'd', 'e'] }, 'stop', /4 or fewer entries/],
  ['an empty stop', { ...HELLO, stop: [''] }, 'stop[0]', /1 or more characters/],
  ['a long stop', { ...HELLO, stop: ['a', 'b'.repeat(257)] }, 'stop[1]', /256 or fewer characters/],
  ['a stop that is a number', { ...HELLO, stop: [5] }, 'stop[0]', /must be a string/],
  ...[
    '',
    ' ',
    'a b',
    '../../x',
    '/etc',
    '-a',
    'a\n',
    'a\u0000',
    'a?b',
    'a#b',
    'a%2e',
    'a\\b',
    'ä',
    '__proto__',
    '<b>',
    `a${'b'.repeat(256)}`,
  ].map((model): [string, unknown, string, RegExp] => [
    `the model ${JSON.stringify(model).slice(0, 20)}`,
    { ...HELLO, model },
    'model',
    /must match/,
  ]),
  ['a model that is null', { ...HELLO, model: null }, 'model', /must be a string/],
  ['metadata that is null', { ...HELLO, metadata: null }, 'metadata', /must be an object/],
  ['metadata that is an array', { ...HELLO, metadata: [] }, 'metadata', /must be an object/],
  [
    'metadata of 17 pairs',
    { ...HELLO, metadata: Object.fromEntries(Array.from({ length: 17 }, (_, at) => [`k${at}`, ''])) },
    'metadata',
    /16 or fewer pairs/,
  ],
  [
    'metadata with a key',
    { ...HELLO, metadata: { note: `my ${OPENAI_KEY}` } },
    'metadata.note',
    /^metadata\.note holds what looks like a key; keys belong in headers only\.$/,
  ],
  [
    'metadata with a key for a name',
    { ...HELLO, metadata: { [OPENAI_KEY]: '' } },
    `metadata.${HIDDEN}`,
    /looks like a key/,
  ],
  ['a key for a model', { ...HELLO, model: ANTHROPIC_KEY }, 'model', /looks like a key/],
  ['metadata with an empty name', { ...HELLO, metadata: { '': 'a' } }, `metadata.${HIDDEN}`, /1 or more characters/],
  [
    'metadata with a long name',
    { ...HELLO, metadata: { [long]: 'a' } },
    `metadata.${HIDDEN}`,
    /64 or fewer characters/,
  ],
  [
    'metadata with a long value',
    { ...HELLO, metadata: { order: 'a'.repeat(513) } },
    'metadata.order',
    /512 or fewer characters/,
  ],
  ['metadata with a number', { ...HELLO, metadata: { order: 42 } }, 'metadata.order', /must be a string/],
  ['metadata with an object', { ...HELLO, metadata: { order: {} } }, 'metadata.order', /must be a string/],
  ['timeout_seconds 0', { ...HELLO, timeout_seconds: 0 }, 'timeout_seconds', /1 or more/],
  ['timeout_seconds 601', { ...HELLO, timeout_seconds: 601 }, 'timeout_seconds', /600 or less/],
  ['timeout_seconds 1.5', { ...HELLO, timeout_seconds: 1.5 }, 'timeout_seconds', /whole number/],
  ['deadline_seconds 0', { ...HELLO, deadline_seconds: 0 }, 'deadline_seconds', /1 or more/],
  ['deadline_seconds 86,401', { ...HELLO, deadline_seconds: 86_401 }, 'deadline_seconds', /86400 or less/],
  ['deadline_seconds in a string', { ...HELLO, deadline_seconds: '60' }, 'deadline_seconds', /must be a number/],
];

describe('a body is refused, and runs nowhere, with', () => {
  test.each(REFUSED)('%s', async (_, body, param, message) => {
    expectRefusal(await post(body), { status: 400, code: 'invalid_body', param, message });
  });

  test.each(['wait=0', 'wait=601', 'wait=abc', 'wait=', 'wait=-1', 'wait=1.5', 'respond-async, wait=0', 'WAIT = 601'])(
    'Prefer: %s',
    async (prefer) => {
      const refusal = { status: 400, code: 'invalid_header', param: 'Prefer', message: /1 to 600 seconds/ };
      expectRefusal(await post(HELLO, { Prefer: prefer }), refusal);
    },
  );

  test.each([
    ['a parameter that a GET knows', 'wait=5', 'wait', /not known/],
    ['an unknown parameter', 'a_b', 'a_b', /not known/],
    ['a parameter with a name that is not plain', 'k-1=a', HIDDEN, /not known/],
    ['__proto__', '__proto__=1', '__proto__', /not known/],
  ])('%s in the query', async (_, query, param, message) => {
    const answer = await gateway.call('POST', `/v1/complete?${query}`, { body: HELLO });
    expectRefusal(answer, { status: 400, code: 'invalid_query', param, message });
  });

  test('many faults, of which the first in the documented order is told', async () => {
    const send = (line: string, headers: string[], body: string) =>
      exchange(gateway.apis[0]?.url ?? '', request(line, headers, body));
    const wrongKey = 'X-API-Key: wrong-platform-key-0001';
    const key = `X-API-Key: ${KEYS.acme}`;
    const half = 'X-User-Provider: openai';
    const type = 'Content-Type: application/json';
    const huge = 'a'.repeat(1_048_577);
    const faults = '{"stream":true}';
    const steps: [code: string, line: string, headers: string[], body: string][] = [
      ['invalid_header', 'PUT /v1/complete?a=1', [wrongKey, wrongKey, half], huge],
      ['invalid_api_key', 'PUT /v1/complete?a=1', [wrongKey, half], huge],
      ['method_not_allowed', 'PUT /v1/complete?a=1', [key, half], huge],
      ['invalid_query', 'POST /v1/complete?a=1', [key, half], huge],
      ['unsupported_media_type', 'POST /v1/complete', [key, half], huge],
      ['body_too_large', 'POST /v1/complete', [key, half, type], huge],
      ['invalid_json', 'POST /v1/complete', [key, half, type], '{'],
      ['user_key_required', 'POST /v1/complete', [key, half, type], faults],
      ['invalid_body', 'POST /v1/complete', [key, type], faults],
    ];
    for (const [code, line, headers, body] of steps) {
      expect((await send(line, headers, body)).body).toMatchObject({ error: { code } });
    }
  });

  test('all of these together, and no provider was asked', () => expectNothingRan(gateway));
});

describe('a body is accepted with', () => {
  test.each<[string, object]>([
    ['nothing but a message', HELLO],
    [
      'every field at its lower limit',
      {
        ...HELLO,
        max_tokens: 1,
        temperature: 0,
        top_p: 0,
        stop: ['a'],
        metadata: {},
        timeout_seconds: 1,
        deadline_seconds: 1,
      },
    ],
    [
      'every field at its upper limit',
      {
        model: `a${'b'.repeat(127)}`,
        messages: Array.from({ length: 1_000 }, (_, at) => ({ role: at === 999 ? 'user' : 'assistant', content: 'a' })),
        max_tokens: 1_000_000,
        // The most that the platform's provider takes; others take 2.
        temperature: 1,
        top_p: 1,
        stop: Array.from({ length: 4 }, () => 'a'.repeat(256)),
        metadata: Object.fromEntries(
          Array.from({ length: 16 }, (_, at) => [String(at).padEnd(64, 'k'), 'v'.repeat(512)]),
        ),
        timeout_seconds: 600,
        deadline_seconds: 86_400,
      },
    ],
    ['one stop', { ...HELLO, stop: 'END' }],
    ['100 parts', user(Array.from({ length: 100 }, () => ({ type: 'text', text: 'a' })))],
    ['every letter there is', user('\u0000\u001b\u2028\ud83d\ude00"\\')],
    [
      'what a job answered',
      { messages: [...HELLO.messages, { role: 'assistant', content: '', finish_reason: 'length' }] },
    ],
    ...FINISH_REASONS.map((finish_reason): [string, object] => [
      `an answer that ended for ${finish_reason}`,
      { messages: [...HELLO.messages, { role: 'assistant', content: 'a', finish_reason }] },
    ]),
    ['a model of a vendor', { ...HELLO, model: 'us.anthropic.claude-sonnet-4-5-20250929-v1:0' }],
    ['the resource name of a model', { ...HELLO, model: 'arn:aws:bedrock:us-east-1:123456789012:inference-profile/a' }],
  ])('%s', async (_, body) => {
    expect(await post(body)).toMatchObject({ status: 202 });
  });

  test('metadata, which comes back as it was, whatever its names', async () => {
    const metadata = { constructor: 'a', toString: 'b', 'a b': '\u0000"', ключ: '', '<b>': '\ud83d\ude00' };
    const { body } = await post({ ...HELLO, metadata });
    expect(body).toMatchObject({ metadata });
    expect(Object.keys((body as Job).metadata)).toEqual(Object.keys(metadata));
  });

  test('two equal names, of which the last counts for every reader', async () => {
    const body =
      '{"model":"gpt-4o","messages":[{"role":"user","content":"first of twins"}],"messages":[{"role":"user","content":"last of twins"}]}';
    const { body: job } = await post(body, userKey());
    await gateway.finished((job as Job).id);
    expect(gateway.callsWith('last of twins')).toHaveLength(1);
    expect(gateway.callsWith('first of twins')).toEqual([]);
  });

  test('Prefer, of which what is not ours is ignored', async () => {
    for (const prefer of ['respond-async', 'return=minimal', 'handling=lenient']) {
      const { status, headers } = await post(HELLO, { Prefer: prefer });
      expect({ status, applied: headers.get('preference-applied') }).toEqual({ status: 202, applied: null });
    }
    for (const prefer of ['wait=20', 'return=minimal, Wait = "20"']) {
      const { status, headers, body } = await post(HELLO, { Prefer: prefer });
      expect({ status, applied: headers.get('preference-applied') }).toEqual({ status: 200, applied: 'wait=20' });
      expect(body).toMatchObject({ status: 'completed' });
    }
  });
});

describe('a webhook URL is refused at once where it is', () => {
  test.each([
    ['plain http', 'http://example.com/'],
    ['of another scheme', 'ftp://example.com/'],
    ['on another port', 'https://example.com:8443/'],
    ['with a user', 'https://user:word@example.com/'],
    ['a loopback address', 'https://127.0.0.1/'],
    ['the same in hexadecimal', 'https://0x7f000001/'],
    ['a loopback address of IPv6', 'https://[::1]/'],
    ['a private address', 'https://10.0.0.1/'],
    ['where cloud machines find their credentials', 'https://169.254.169.254/latest/meta-data'],
    ['a name of this machine', 'https://localhost/'],
    ['a name of one label', 'https://intranet/'],
    ['no URL', 'example.com/hook'],
    ['empty', ''],
    ['with a provider’s key', `https://example.com/?key=${OPENAI_KEY}`],
    ['too long', `https://example.com/${'a'.repeat(2_048)}`],
  ])('%s', async (_, url) => {
    const refusal = { status: 400, code: 'webhook_url_refused', param: 'webhook.url', message: /^The webhook URL / };
    expectRefusal(await post({ ...HELLO, webhook: { url } }), refusal);
  });
});
