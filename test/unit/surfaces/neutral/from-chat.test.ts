/** What a Chat Completions body without a user's key asks for: all of it, or an error that names the client's own member. */
import { describe, expect, test } from 'vitest';
import { fromChat } from '../../../../api/surfaces/openai/neutral/from-chat.ts';
import { dataUrl, PDF, png } from '../../../support/media.ts';
import { translated } from './translated.ts';

const HELLO = { role: 'user', content: 'Hello.' };
const TOOL = { type: 'function', function: { name: 'f' } };
const body = (more: object = {}) => ({ model: 'm', messages: [HELLO], ...more });
const call = (id: string, more: object = {}) => ({
  id,
  type: 'function',
  function: { name: 'f', arguments: '{"a":1}' },
  ...more,
});
const from = (json: unknown) => translated(fromChat, json);
const says = (...messages: object[]) => body({ messages: [HELLO, ...messages] });
const parts = (...content: object[]) => body({ messages: [{ role: 'user', content }] });
const image = dataUrl('image/png', png());
const file = dataUrl('application/pdf', PDF);

describe('carried is', () => {
  const dialogue = [
    { role: 'assistant', content: null, tool_calls: [call('a'), call('b')] },
    { role: 'tool', tool_call_id: 'a', content: 'done' },
    { role: 'tool', tool_call_id: 'b', content: [{ type: 'text', text: 'done' }] },
  ];
  test.each<[string, object, object]>([
    ['a limit of either name', { max_completion_tokens: 5 }, { max_tokens: 5 }],
    ['a limit under its old name', { max_tokens: 5 }, { max_tokens: 5 }],
    ['a limit under both names', { max_tokens: 5, max_completion_tokens: 5 }, { max_tokens: 5 }],
    ['one stop', { stop: 'a' }, { stop: ['a'] }],
    ['several stops', { stop: ['a', 'b'] }, { stop: ['a', 'b'] }],
    ['sampling', { temperature: 0.5, top_p: 0.1 }, { temperature: 0.5, top_p: 0.1 }],
    ['an effort', { reasoning_effort: 'high' }, { reasoning: { effort: 'high' } }],
    ['a tier', { service_tier: 'flex' }, { service_tier: 'flex' }],
    ['a user', { user: 'u' }, { user: 'u' }],
    ['a user by the newer name', { safety_identifier: 'u' }, { user: 'u' }],
    ['a choice of tools', { tools: [TOOL], tool_choice: 'required' }, { tools: [TOOL], tool_choice: 'required' }],
    ['a named tool', { tools: [TOOL], tool_choice: TOOL }, { tools: [TOOL], tool_choice: TOOL }],
    [
      'a form of the answer',
      { response_format: { type: 'json_schema', json_schema: { name: 'n', strict: null, schema: { b: 1, a: 2 } } } },
      { response_format: { type: 'json_schema', json_schema: { name: 'n', schema: { b: 1, a: 2 } } } },
    ],
    ['a plain form', { response_format: { type: 'text' } }, { response_format: { type: 'text' } }],
    [
      'a dialogue with tools',
      { tools: [TOOL], ...says(...dialogue) },
      { tools: [TOOL], messages: [HELLO, ...dialogue] },
    ],
    [
      'instructions of both names',
      {
        messages: [
          { role: 'system', content: 'a' },
          HELLO,
          { role: 'developer', content: [{ type: 'text', text: 'b' }] },
        ],
      },
      {
        messages: [
          { role: 'system', content: 'a' },
          HELLO,
          { role: 'developer', content: [{ type: 'text', text: 'b' }] },
        ],
      },
    ],
    [
      'an image and a file',
      parts(
        { type: 'image_url', image_url: { url: image, detail: 'auto' } },
        { type: 'file', file: { file_data: file, filename: 'a.pdf' } },
      ),
      parts(
        { type: 'image_url', image_url: { url: image } },
        { type: 'file', file: { file_data: file, filename: 'a.pdf' } },
      ),
    ],
    [
      'a mark for the cache',
      parts({ type: 'text', text: 'a', prompt_cache_breakpoint: { mode: 'explicit' } }),
      parts({ type: 'text', text: 'a', cache_control: { type: 'ephemeral' } }),
    ],
  ])('%s', (_, sent, neutral) => {
    const { refusal, request, warnings } = from(body(sent));
    expect(refusal).toBeNull();
    expect(request).toEqual({ ...body(), ...neutral });
    expect(warnings).toEqual([]);
  });

  test('metadata, as that of the job', () => {
    expect(from(body({ metadata: { a: 'b' } })).metadata).toEqual({ a: 'b' });
  });

  test('the default model, if none is named', () => {
    expect(from({ messages: [HELLO] }).request).toMatchObject({ model: 'default-model' });
  });
});

test('what the neutral form has and Bedrock does not take is refused by the client’s name for it', () => {
  for (const [sent, param] of [
    [{ seed: 1 }, 'seed'],
    [{ n: 2 }, 'n'],
    [{ logprobs: true, top_logprobs: 1 }, 'logprobs'],
    [{ logit_bias: { 1: 1 } }, 'logit_bias'],
    [{ frequency_penalty: 1 }, 'frequency_penalty'],
    [{ presence_penalty: 1 }, 'presence_penalty'],
    [{ verbosity: 'low' }, 'verbosity'],
    [{ prediction: { type: 'content', content: 'a' } }, 'prediction'],
    [{ reasoning_effort: 'minimal' }, 'reasoning_effort'],
    [{ tools: [TOOL], parallel_tool_calls: false }, 'parallel_tool_calls'],
    [{ tools: [TOOL], tool_choice: 'none' }, 'tool_choice'],
    [{ response_format: { type: 'json_object' } }, 'response_format'],
    [{ temperature: 2 }, 'temperature'],
    [parts({ type: 'image_url', image_url: { url: 'https://a.invalid/a.png' } }), 'messages[0].content[0]'],
  ] as const) {
    expect(from(body(sent)).refusal, param).toMatchObject({ code: 'unsupported_by_provider', param });
  }
});

test.each<[string, object]>([
  ['what the SDK sends', { stream: false, store: false, n: 1, stream_options: { include_usage: true } }],
  ['null for everything', { temperature: null, stop: null, tools: null, user: null, audio: null, foo_new: null }],
  [
    'OpenAI’s defaults',
    { frequency_penalty: 0, presence_penalty: 0, logit_bias: {}, logprobs: false, verbosity: 'medium' },
  ],
  [
    'modes that say nothing',
    { modalities: ['text'], service_tier: 'auto', parallel_tool_calls: true, tool_choice: 'auto' },
  ],
  ['tools that are none', { tools: [], tool_choice: 'none', stop: [] }],
])('%s asks for nothing, and is taken', (_, sent) => {
  const { refusal, request } = from(body(sent));
  expect(refusal).toBeNull();
  expect(request).toEqual(body());
});

test.each<[string, object, object]>([
  [
    'the SDK',
    {
      role: 'assistant',
      content: 'a',
      refusal: null,
      annotations: [],
      audio: null,
      function_call: null,
      tool_calls: [],
    },
    { role: 'assistant', content: 'a' },
  ],
  ['its parse', { role: 'assistant', content: '{}', refusal: null, parsed: {} }, { role: 'assistant', content: '{}' }],
  ['nothing', { role: 'assistant', content: null, refusal: null }, { role: 'assistant', content: '' }],
  [
    'a refusal',
    { role: 'assistant', content: null, refusal: 'No.' },
    { role: 'assistant', content: null, refusal: 'No.' },
  ],
  [
    'a refusal as a part',
    { role: 'assistant', content: [{ type: 'refusal', refusal: 'No.' }] },
    { role: 'assistant', content: null, refusal: 'No.' },
  ],
  [
    'texts as parts',
    { role: 'assistant', content: [{ type: 'text', text: 'a' }] },
    { role: 'assistant', content: [{ type: 'text', text: 'a' }] },
  ],
])('an answer that %s sends back is taken', (_, sent, neutral) => {
  const { refusal, request } = from(says(sent, HELLO));
  expect(refusal).toBeNull();
  expect(request?.messages[1]).toEqual(neutral);
});

test('calls that clients put together from a stream, parsed or named are taken, and arguments stay text', () => {
  const sent = says(
    {
      role: 'assistant',
      content: '',
      tool_calls: [
        call('a', { index: 0, function: { name: 'f', arguments: '{"id": 1.0}', parsed_arguments: { id: 1 } } }),
        call('b', { function: { name: 'f', arguments: '' } }),
      ],
    },
    { role: 'tool', tool_call_id: 'a', name: 'f', content: '' },
    { role: 'tool', tool_call_id: 'b', content: '' },
  );
  const { refusal, request } = from({ ...sent, tools: [TOOL] });
  expect(refusal).toBeNull();
  expect(request?.messages[1]).toMatchObject({
    tool_calls: [{ function: { arguments: '{"id": 1.0}' } }, { function: { arguments: '{}' } }],
  });
});

const UNKNOWN: readonly [string, object, param: string][] = [
  ['a new member', body({ foo_new: { a: 1 } }), 'foo_new'],
  ['a store', body({ store: true }), 'store'],
  ['audio', body({ modalities: ['text', 'audio'] }), 'modalities'],
  ['functions', body({ functions: [] }), 'functions'],
  ['a search', body({ web_search_options: {} }), 'web_search_options'],
  ['a key of a cache', body({ prompt_cache_key: 'a' }), 'prompt_cache_key'],
  ['a tier of OpenAI', body({ service_tier: 'scale' }), 'service_tier'],
  ['two users', body({ user: 'a', safety_identifier: 'b' }), 'user'],
  ['two limits', body({ max_tokens: 1, max_completion_tokens: 2 }), 'max_tokens'],
  ['a name', says({ role: 'user', name: 'a', content: 'a' }), 'messages[1].name'],
  ['the audio of an answer', says({ role: 'assistant', content: 'a', audio: { id: 'a' } }), 'messages[1].audio'],
  [
    'a part beside others',
    parts({ type: 'text', text: 'a' }, { type: 'input_audio', input_audio: {} }),
    'messages[0].content[1]',
  ],
  [
    'a file by its id',
    parts({ type: 'text', text: 'a' }, { type: 'file', file: { file_id: 'a' } }),
    'messages[0].content[1]',
  ],
  ['a member of a part', parts({ type: 'text', text: 'a', foo: 1 }), 'messages[0].content[0].foo'],
  [
    'the time of a mark',
    parts({ type: 'text', text: 'a', prompt_cache_breakpoint: { mode: 'explicit', ttl: '12h' } }),
    'messages[0].content[0].prompt_cache_breakpoint.ttl',
  ],
  [
    'the detail of an image',
    parts({ type: 'image_url', image_url: { url: image, detail: 'original' } }),
    'messages[0].content[0].image_url.detail',
  ],
  ['a tool of OpenAI', body({ tools: [TOOL, { type: 'custom', custom: { name: 'a' } }] }), 'tools[1]'],
  ['a member of a tool', body({ tools: [{ ...TOOL, foo: 1 }] }), 'tools[0].foo'],
  [
    'a choice of some',
    body({ tools: [TOOL], tool_choice: { type: 'allowed_tools', allowed_tools: {} } }),
    'tool_choice',
  ],
  ['a form’s member', body({ response_format: { type: 'text', foo: 1 } }), 'response_format.foo'],
];
test.each(UNKNOWN)('%s is refused by its name, or left out with a warning', (_, sent, param) => {
  expect(from(sent).refusal).toMatchObject({ code: 'unsupported_by_provider', param });
  expect(from(sent).refusal?.message).toContain('X-Gateway-Unsupported: warn');
  const warned = translated(fromChat, sent, 'warn');
  expect(warned.refusal).toBeNull();
  expect(warned.warnings).toMatchObject([{ param }]);
  expect(JSON.stringify(warned.request)).not.toMatch(/foo|audio|file_id|custom|"store"|"name":"a"/);
});

test.each<[string, object, string]>([
  ['all parts of a message', parts({ type: 'input_audio', input_audio: {} }), 'messages[0].content[0]'],
  ['all tools', body({ tools: [{ type: 'custom' }] }), 'tools[0]'],
  ['a message', says({ role: 'function', name: 'a', content: 'a' }), 'messages[1]'],
  [
    'a call',
    says({ role: 'assistant', content: null, tool_calls: [{ id: 'a', type: 'custom' }] }),
    'messages[1].tool_calls[0]',
  ],
  [
    'calls without tools',
    says(
      { role: 'assistant', content: null, tool_calls: [call('a')] },
      { role: 'tool', tool_call_id: 'a', content: '' },
    ),
    'tools',
  ],
])('%s cannot be left out', (_, sent, param) => {
  for (const onUnsupported of ['reject', 'warn'] as const) {
    expect(translated(fromChat, sent, onUnsupported).refusal).toMatchObject({ code: 'unsupported_by_provider', param });
  }
});

test('a warning names the place that the client knows, also behind what was left out', () => {
  const sent = parts(
    { type: 'input_audio' },
    { type: 'text', text: 'a' },
    { type: 'image_url', image_url: { url: 'https://a.invalid/a' } },
  );
  const { warnings, request } = translated(fromChat, sent, 'warn');
  expect(warnings.map(({ param }) => param)).toEqual(['messages[0].content[0]', 'messages[0].content[2]']);
  expect(request).toEqual(parts({ type: 'text', text: 'a' }));
});

test('what is unknown in more ways than warnings are kept of is refused', () => {
  const unknown = Object.fromEntries(Array.from({ length: 32 }, (_, at) => [`x${'_'.repeat(at)}`, 1]));
  expect(translated(fromChat, body(unknown), 'warn').warnings).toHaveLength(32);
  const { refusal, warnings } = translated(fromChat, body({ ...unknown, last: 1 }), 'warn');
  expect(refusal).toMatchObject({ code: 'unsupported_by_provider', param: 'last' });
  expect(warnings).toEqual([]);
});

test.each<[string, unknown, string | null]>([
  ['no object', [], null],
  ['no messages', { model: 'm' }, 'messages'],
  ['messages of another type', body({ messages: 'a' }), 'messages'],
  ['a message that is a text', body({ messages: ['a'] }), 'messages[0]'],
  ['no role', body({ messages: [{ content: 'a' }] }), 'messages[0].role'],
  ['a role of nobody', body({ messages: [{ role: 'human', content: 'a' }] }), 'messages[0].role'],
  ['an effort of nobody', body({ reasoning_effort: 'huge' }), 'reasoning_effort'],
  ['a limit that is a text', body({ max_completion_tokens: '5' }), 'max_completion_tokens'],
  ['a user that is a number', body({ safety_identifier: 5 }), 'safety_identifier'],
  ['a long user', body({ user: 'a'.repeat(257) }), 'user'],
  ['an image as a text', parts({ type: 'image_url', image_url: image }), 'messages[0].content[0].image_url'],
  ['a broken image', parts({ type: 'image_url', image_url: { url: 'a' } }), 'messages[0].content[0].image_url.url'],
  [
    'arguments of a list',
    says({ role: 'assistant', content: null, tool_calls: [call('a', { function: { name: 'f', arguments: '[]' } })] }),
    'messages[1].tool_calls[0].function.arguments',
  ],
  ['a result of no call', says({ role: 'tool', tool_call_id: 'a', content: '' }), 'messages[1].tool_call_id'],
  ['a tool’s name', body({ tools: [{ type: 'function', function: { name: 'a b' } }] }), 'tools[0].function.name'],
  [
    'a choice of no tool',
    body({ tools: [TOOL], tool_choice: { type: 'function', function: { name: 'g' } } }),
    'tool_choice.function.name',
  ],
  ['metadata that is a text', body({ metadata: 'a' }), 'metadata'],
  [
    'a signature’s frame',
    says({ role: 'assistant', content: null, tool_calls: [call('a', { extra_content: 1 })] }),
    'messages[1].tool_calls[0].extra_content',
  ],
])('%s is invalid_body, named as the client has it', (_, sent, param) => {
  expect(from(sent).refusal).toMatchObject({ code: 'invalid_body', param });
});

test('schemas keep the order of their names, and what parsing would change of them is refused', () => {
  const tool = (schema: string) =>
    `{"model":"m","messages":[{"role":"user","content":"a"}],"tools":[{"type":"function","function":{"name":"f","parameters":${schema}}}]}`;
  expect(JSON.stringify(from(tool('{"b":1,"a":{"d":1,"c":2.5}}')).request?.tools)).toContain(
    '{"b":1,"a":{"d":1,"c":2.5}}',
  );
  for (const schema of ['{"maximum":9007199254740993}', '{"2":{},"1":{}}', '{"a":1,"a":2}']) {
    expect(from(tool(schema)).refusal).toMatchObject({ code: 'invalid_body', param: 'tools[0].function.parameters' });
  }
});
