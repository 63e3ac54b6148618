/** What a Messages body without a user's key asks for: all of it, or an error that names the client's own member. */
import { describe, expect, test } from 'vitest';
import { fromMessages } from '../../../../api/surfaces/anthropic/neutral/from-messages.ts';
import { dataUrl, PDF, png } from '../../../support/media.ts';
import { translated } from './translated.ts';

const HELLO = { role: 'user', content: 'Hello.' };
const SCHEMA = { type: 'object', properties: { b: {}, a: {} } };
const TOOL = { name: 'f', input_schema: SCHEMA };
const NEUTRAL_TOOL = { type: 'function', function: { name: 'f', parameters: SCHEMA } };
const MARK = { type: 'ephemeral', ttl: '1h' };
const body = (more: object = {}) => ({ model: 'm', max_tokens: 10, messages: [HELLO], ...more });
const from = (json: unknown) => translated(fromMessages, json);
const says = (...messages: object[]) => body({ messages: [HELLO, ...messages] });
const blocks = (...content: object[]) => body({ messages: [{ role: 'user', content }] });
const use = (id: string, input: object = {}) => ({ type: 'tool_use', id, name: 'f', input });
const result = (id: string, more: object = {}) => ({ type: 'tool_result', tool_use_id: id, ...more });
const call = (id: string, text = '{}') => ({ id, type: 'function', function: { name: 'f', arguments: text } });
const base64 = (url: string): string => url.slice(url.indexOf(',') + 1);
const image = dataUrl('image/png', png());
const file = dataUrl('application/pdf', PDF);
const picture = (more: object = {}) => ({
  type: 'image',
  source: { type: 'base64', media_type: 'image/png', data: base64(image) },
  ...more,
});

describe('carried is', () => {
  test.each<[string, object, object]>([
    ['a system text', { system: 'Be brief.' }, { messages: [{ role: 'system', content: 'Be brief.' }, HELLO] }],
    [
      'a marked system text',
      { system: [{ type: 'text', text: 'Be brief.', cache_control: MARK }] },
      { messages: [{ role: 'system', content: [{ type: 'text', text: 'Be brief.', cache_control: MARK }] }, HELLO] },
    ],
    [
      'a system message between others',
      { messages: [HELLO, { role: 'system', content: 'Be brief.' }, HELLO] },
      { messages: [HELLO, { role: 'system', content: 'Be brief.' }, HELLO] },
    ],
    ['sampling', { temperature: 1, top_p: 0.5, top_k: 5 }, { temperature: 1, top_p: 0.5, top_k: 5 }],
    ['stops', { stop_sequences: ['a'] }, { stop: ['a'] }],
    ['a user', { metadata: { user_id: 'u' } }, { user: 'u' }],
    ['the standard tier', { service_tier: 'standard_only' }, { service_tier: 'default' }],
    ['an effort', { output_config: { effort: 'max' } }, { reasoning: { effort: 'max' } }],
    [
      'a budget of thoughts',
      { thinking: { type: 'enabled', budget_tokens: 5 }, output_config: { effort: 'low' } },
      { reasoning: { budget_tokens: 5, effort: 'low' } },
    ],
    [
      'a form of the answer',
      { output_config: { format: { type: 'json_schema', schema: SCHEMA } } },
      { response_format: { type: 'json_schema', json_schema: { name: 'answer', schema: SCHEMA } } },
    ],
    [
      'tools',
      { tools: [{ ...TOOL, type: 'custom', description: 'd', strict: true, cache_control: MARK }] },
      {
        tools: [
          {
            type: 'function',
            function: { name: 'f', description: 'd', parameters: SCHEMA, strict: true },
            cache_control: MARK,
          },
        ],
      },
    ],
    ['any tool', { tools: [TOOL], tool_choice: { type: 'any' } }, { tools: [NEUTRAL_TOOL], tool_choice: 'required' }],
    [
      'a named tool',
      { tools: [TOOL], tool_choice: { type: 'tool', name: 'f' } },
      { tools: [NEUTRAL_TOOL], tool_choice: { type: 'function', function: { name: 'f' } } },
    ],
    [
      'images and documents',
      blocks(
        picture({ cache_control: MARK }),
        {
          type: 'document',
          title: 'a.pdf',
          source: { type: 'base64', media_type: 'application/pdf', data: base64(file) },
        },
        {
          type: 'document',
          source: { type: 'text', media_type: 'text/plain', data: 'é' },
          citations: { enabled: false },
        },
      ),
      blocks(
        { type: 'image_url', image_url: { url: image }, cache_control: MARK },
        { type: 'file', file: { file_data: file, filename: 'a.pdf' } },
        { type: 'file', file: { file_data: 'data:text/plain;base64,w6k=' } },
      ),
    ],
  ])('%s', (_, sent, neutral) => {
    const { refusal, request, warnings } = from(body(sent));
    expect(refusal).toBeNull();
    expect(request).toEqual({ ...body(), ...neutral });
    expect(warnings).toEqual([]);
  });
});

const thinking = { type: 'thinking', thinking: 'Hm.', signature: 'sig' };
const THOUGHT = { type: 'reasoning.text', text: 'Hm.', signature: 'sig' };
test.each<[string, string | object[], object]>([
  ['a text', 'Yes.', { content: 'Yes.' }],
  ['nothing', [], { content: '' }],
  [
    'texts',
    [
      { type: 'text', text: 'a', citations: null },
      { type: 'text', text: 'b' },
    ],
    {
      content: [
        { type: 'text', text: 'a' },
        { type: 'text', text: 'b' },
      ],
    },
  ],
  [
    'a marked text',
    [{ type: 'text', text: 'a', cache_control: MARK }],
    { content: [{ type: 'text', text: 'a', cache_control: MARK }] },
  ],
  [
    'thoughts, with a signature alone, and secret ones',
    [
      thinking,
      { type: 'thinking', thinking: '', signature: 's' },
      { type: 'redacted_thinking', data: 'ZGF0YQ==' },
      { type: 'text', text: 'a' },
    ],
    {
      content: [{ type: 'text', text: 'a' }],
      reasoning_details: [
        THOUGHT,
        { type: 'reasoning.text', text: '', signature: 's' },
        { type: 'reasoning.encrypted', data: 'ZGF0YQ==' },
      ],
    },
  ],
  [
    'a thought without a signature',
    [{ ...thinking, signature: '' }],
    { content: '', reasoning_details: [{ type: 'reasoning.text', text: 'Hm.' }] },
  ],
])('an answer of %s goes back as it came', (_, content, neutral) => {
  const { refusal, request } = from(says({ role: 'assistant', content }, HELLO));
  expect(refusal).toBeNull();
  expect(request?.messages[1]).toEqual({ role: 'assistant', ...neutral });
});

test('a dialogue with tools keeps the order of blocks, and each result is a message of its own', () => {
  const { refusal, request } = from({
    ...says(
      { role: 'assistant', content: [thinking, use('a', { b: 1, a: 2.5 }), { type: 'text', text: 'and' }, use('b')] },
      {
        role: 'user',
        content: [
          result('b', { content: 'no', is_error: true, cache_control: MARK }),
          result('a', { content: [{ type: 'text', text: 'x' }, picture()], cache_control: MARK }),
          { type: 'text', text: 'Go on.' },
        ],
      },
      { role: 'assistant', content: [{ ...use('c'), caller: { type: 'direct' } }] },
      { role: 'user', content: [result('c')] },
    ),
    tools: [TOOL],
  });
  expect(refusal).toBeNull();
  expect(request?.messages.slice(1)).toEqual([
    {
      role: 'assistant',
      content: 'and',
      reasoning_details: [THOUGHT],
      tool_calls: [call('a', '{"b":1,"a":2.5}'), call('b')],
      parts: [
        { type: 'reasoning', index: 0 },
        { type: 'tool_call', id: 'a' },
        { type: 'text', text: 'and' },
        { type: 'tool_call', id: 'b' },
      ],
    },
    { role: 'tool', tool_call_id: 'b', content: [{ type: 'text', text: 'no', cache_control: MARK }], is_error: true },
    {
      role: 'tool',
      tool_call_id: 'a',
      content: [
        { type: 'text', text: 'x' },
        { type: 'image_url', image_url: { url: image }, cache_control: MARK },
      ],
    },
    { role: 'user', content: [{ type: 'text', text: 'Go on.' }] },
    { role: 'assistant', content: null, tool_calls: [call('c')] },
    { role: 'tool', tool_call_id: 'c', content: '' },
  ]);
});

test.each<[string, object]>([
  ['what the SDK sends', { stream: false }],
  [
    'defaults',
    { thinking: { type: 'disabled' }, service_tier: 'auto', speed: 'standard', tool_choice: { type: 'auto' } },
  ],
  ['empty lists', { tools: [], stop_sequences: [], system: [], tool_choice: { type: 'none' } }],
  ['an empty system', { system: '' }],
  ['null', { container: null, metadata: { user_id: null }, output_config: { effort: null, format: null }, foo: null }],
  ['parallel calls', { tool_choice: { type: 'auto', disable_parallel_tool_use: false } }],
])('%s asks for nothing, and is taken', (_, sent) => {
  const { refusal, request } = from(body(sent));
  expect(refusal).toBeNull();
  expect(request).toEqual(body());
});

test('what the neutral form has and Bedrock does not take is refused by the client’s name for it', () => {
  for (const [sent, param] of [
    [{ tools: [TOOL], tool_choice: { type: 'none' } }, 'tool_choice'],
    [
      { tools: [TOOL], tool_choice: { type: 'any', disable_parallel_tool_use: true } },
      'tool_choice.disable_parallel_tool_use',
    ],
    [{ metadata: { user_id: 'a|b' } }, 'metadata.user_id'],
    [blocks({ type: 'image', source: { type: 'url', url: 'https://a.invalid/a.png' } }), 'messages[0].content[0]'],
  ] as const) {
    expect(from(body(sent)).refusal, param).toMatchObject({ code: 'unsupported_by_provider', param });
  }
});

const document = (source: object, more: object = {}) =>
  blocks({ type: 'text', text: 'a' }, { type: 'document', source, ...more });
test.each<[string, object, param: string]>([
  ['a new member', body({ foo_new: 1 }), 'foo_new'],
  ['a container', body({ container: 'a' }), 'container'],
  ['servers', body({ mcp_servers: [] }), 'mcp_servers'],
  ['speed', body({ speed: 'fast' }), 'speed'],
  ['a mark of the whole', body({ cache_control: MARK }), 'cache_control'],
  ['thinking as it likes', body({ thinking: { type: 'adaptive', display: 'omitted' } }), 'thinking'],
  [
    'how thoughts are shown',
    body({ thinking: { type: 'enabled', budget_tokens: 5, display: 'omitted' } }),
    'thinking.display',
  ],
  ['a tool of Anthropic', body({ tools: [TOOL, { type: 'bash_20250124', name: 'bash' }] }), 'tools[1]'],
  ['examples', body({ tools: [{ ...TOOL, input_examples: [{}] }] }), 'tools[0].input_examples'],
  ['more about the user', body({ metadata: { user_id: 'u', foo: 1 } }), 'metadata.foo'],
  ['a block of another type', blocks({ type: 'text', text: 'a' }, { type: 'search_result' }), 'messages[0].content[1]'],
  [
    'a block of a server’s tool',
    says({ role: 'assistant', content: [{ type: 'text', text: 'a' }, { type: 'server_tool_use' }] }, HELLO),
    'messages[1].content[1]',
  ],
  ['a document by its URL', document({ type: 'url', url: 'https://a.invalid' }), 'messages[0].content[1]'],
  [
    'an image by its id',
    blocks({ type: 'text', text: 'a' }, { type: 'image', source: { type: 'file', file_id: 'a' } }),
    'messages[0].content[1]',
  ],
  [
    'context',
    document({ type: 'text', media_type: 'text/plain', data: 'a' }, { context: 'a' }),
    'messages[0].content[1].context',
  ],
  [
    'citations that are asked for',
    document({ type: 'text', media_type: 'text/plain', data: 'a' }, { citations: { enabled: true } }),
    'messages[0].content[1].citations.enabled',
  ],
  [
    'citations of an answer',
    says({ role: 'assistant', content: [{ type: 'text', text: 'a', citations: [{}] }] }, HELLO),
    'messages[1].content[0].citations',
  ],
  [
    'a marked call',
    {
      ...says(
        { role: 'assistant', content: [{ ...use('a'), cache_control: MARK }] },
        { role: 'user', content: [result('a')] },
      ),
      tools: [TOOL],
    },
    'messages[1].content[0].cache_control',
  ],
  [
    'a marked result of nothing',
    {
      ...says(
        { role: 'assistant', content: [use('a')] },
        { role: 'user', content: [result('a', { cache_control: MARK })] },
      ),
      tools: [TOOL],
    },
    'messages[2].content[0].cache_control',
  ],
])('%s is refused by its name, or left out with a warning', (_, sent, param) => {
  expect(from(sent).refusal).toMatchObject({ code: 'unsupported_by_provider', param });
  expect(from(sent).refusal?.message).toContain('X-Gateway-Unsupported: warn');
  const warned = translated(fromMessages, sent, 'warn');
  expect(warned.refusal).toBeNull();
  expect(warned.warnings).toMatchObject([{ param }]);
});

test.each<[string, object, string]>([
  ['a conversation that Anthropic keeps', body({ thread: { type: 'create' } }), 'thread'],
  ['all blocks of a message', blocks({ type: 'search_result' }), 'messages[0].content[0]'],
  ['all tools', body({ tools: [{ type: 'bash_20250124', name: 'bash' }] }), 'tools[0]'],
])('%s cannot be left out', (_, sent, param) => {
  for (const onUnsupported of ['reject', 'warn'] as const) {
    expect(translated(fromMessages, sent, onUnsupported).refusal).toMatchObject({
      code: 'unsupported_by_provider',
      param,
    });
  }
});

test.each<[string, unknown, string | null]>([
  ['no object', 'null', null],
  ['no limit', { model: 'm', messages: [HELLO] }, 'max_tokens'],
  ['a limit that is a text', body({ max_tokens: '5' }), 'max_tokens'],
  ['messages of another type', body({ messages: {} }), 'messages'],
  ['a message that is a text', body({ messages: ['a'] }), 'messages[0]'],
  ['a role of another dialect', body({ messages: [{ role: 'tool', content: 'a' }] }), 'messages[0].role'],
  ['a system of a number', body({ system: 5 }), 'system'],
  ['a system of an image', body({ system: [picture()] }), 'system[0].type'],
  ['an empty text', body({ system: [{ type: 'text', text: '' }] }), 'system[0].text'],
  ['no stop', body({ stop_sequences: [''] }), 'stop_sequences[0]'],
  ['a budget beyond the limit', body({ thinking: { type: 'enabled', budget_tokens: 10 } }), 'thinking.budget_tokens'],
  ['no budget', body({ thinking: { type: 'enabled' } }), 'thinking.budget_tokens'],
  ['thinking of nobody', body({ thinking: { type: 'on' } }), 'thinking.type'],
  ['thinking that is a text', body({ thinking: 'on' }), 'thinking'],
  ['metadata that is a text', body({ metadata: 'a' }), 'metadata'],
  ['a user that is a number', body({ metadata: { user_id: 5 } }), 'metadata.user_id'],
  ['an effort of nobody', body({ output_config: { effort: 'huge' } }), 'output_config.effort'],
  [
    'a form without a schema',
    body({ output_config: { format: { type: 'json_schema' } } }),
    'output_config.format.schema',
  ],
  [
    'a form of another type',
    body({ output_config: { format: { type: 'xml', schema: {} } } }),
    'output_config.format.type',
  ],
  ['a tier of another', body({ service_tier: 'flex' }), 'service_tier'],
  ['a tool’s name', body({ tools: [{ name: 'a b', input_schema: {} }] }), 'tools[0].name'],
  ['a tool’s schema', body({ tools: [{ name: 'f', input_schema: [] }] }), 'tools[0].input_schema'],
  ['a choice without tools', body({ tool_choice: { type: 'any' } }), 'tool_choice'],
  ['a choice of no tool', body({ tools: [TOOL], tool_choice: { type: 'tool', name: 'g' } }), 'tool_choice.name'],
  ['a choice of another dialect', body({ tools: [TOOL], tool_choice: { type: 'required' } }), 'tool_choice.type'],
  [
    'one call at a time of none',
    body({ tool_choice: { type: 'auto', disable_parallel_tool_use: true } }),
    'tool_choice.disable_parallel_tool_use',
  ],
  [
    'a broken image',
    blocks(picture({ source: { type: 'base64', media_type: 'image/png', data: 'a' } })),
    'messages[0].content[0].source',
  ],
  [
    'an image without data',
    blocks(picture({ source: { type: 'base64', media_type: 'image/png' } })),
    'messages[0].content[0].source.data',
  ],
  [
    'an image without its type',
    blocks(picture({ source: { type: 'base64', data: base64(image) } })),
    'messages[0].content[0].source.media_type',
  ],
  ['an image by no URL', blocks(picture({ source: { type: 'url' } })), 'messages[0].content[0].source.url'],
  ['a text of a number', blocks({ type: 'text', text: 5 }), 'messages[0].content[0].text'],
  ['no type', blocks({ text: 'a' }), 'messages[0].content[0].type'],
  [
    'no input',
    says({ role: 'assistant', content: [{ type: 'tool_use', id: 'a', name: 'f' }] }),
    'messages[1].content[0].input',
  ],
  [
    'an input of a list',
    says({ role: 'assistant', content: [{ ...use('a'), input: [] }] }),
    'messages[1].content[0].input',
  ],
  [
    'a call without a result',
    { ...says({ role: 'assistant', content: [use('a')] }, HELLO), tools: [TOOL] },
    'messages[1].content',
  ],
  [
    'two calls of one id',
    says({ role: 'assistant', content: [{ type: 'text', text: 'a' }, use('a'), use('a')] }),
    'messages[1].content[2].id',
  ],
  ['a result of no call', says({ role: 'user', content: [result('a')] }), 'messages[1].content[0].tool_use_id'],
  [
    'a text within others that is none',
    says({ role: 'assistant', content: [use('a'), { type: 'text', text: 5 }] }),
    'messages[1].content[1].text',
  ],
  [
    'a time of a mark',
    blocks({ type: 'text', text: 'a', cache_control: { type: 'ephemeral', ttl: '2h' } }),
    'messages[0].content[0].cache_control.ttl',
  ],
  [
    'a caller of another type',
    says({ role: 'assistant', content: [{ ...use('a'), caller: 'direct' }] }),
    'messages[1].content[0].caller',
  ],
])('%s is invalid_body, named as the client has it', (_, sent, param) => {
  expect(from(sent).refusal).toMatchObject({ code: 'invalid_body', param });
});

test('schemas and inputs keep the order of their names, and what parsing would change of them is refused', () => {
  const tool = (schema: string) =>
    `{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"a"}],"tools":[{"name":"f","input_schema":${schema}}]}`;
  expect(JSON.stringify(from(tool('{"b":1,"a":{"d":1,"c":2.5}}')).request?.tools)).toContain(
    '{"b":1,"a":{"d":1,"c":2.5}}',
  );
  const input = (text: string) =>
    `{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":${text}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a"}]}],"tools":[{"name":"f"}]}`;
  expect(from(input('{"b":1,"a":2}')).refusal).toBeNull();
  for (const changed of ['{"a":9007199254740993}', '{"2":{},"1":{}}', '{"a":1,"a":2}']) {
    expect(from(tool(changed)).refusal).toMatchObject({ code: 'invalid_body', param: 'tools[0].input_schema' });
    for (const onUnsupported of ['reject', 'warn'] as const) {
      expect(translated(fromMessages, input(changed), onUnsupported).refusal).toMatchObject({
        code: 'unsupported_by_provider',
        param: 'messages[1].content[0].input',
      });
    }
  }
});
