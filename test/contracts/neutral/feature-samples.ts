/** A request for each thing that not every provider takes, and how it looks in what a provider is sent. */
import type { Feature } from '../../../providers/features.ts';
import { dataUrl, PDF, png } from '../../support/media.ts';

export type Sample = {
  /** Of the request, beside its first message. */
  fields?: object;
  /** Of the last message of the user. */
  parts?: object[];
  /** Before that. */
  turns?: object[];
  /** In the body of a provider that takes it; not in that of one that does not. */
  sent: RegExp;
  /** Where it stands. */
  param: string;
};

const IMAGE = dataUrl('image/png', png());
const imageData = /iVBORw0KGgo/;
const tool = (more: object = {}, of: object = {}) => ({
  type: 'function',
  function: { name: 'look_up', parameters: { type: 'object' }, ...of },
  ...more,
});
const TOOLS = [tool()];
const called = (more: object = {}) => ({
  role: 'assistant',
  content: null,
  tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'look_up', arguments: '{}' }, ...more }],
});
const result = (more: object = {}) => ({ role: 'tool', tool_call_id: 'call_1', content: 'done', ...more });
const file = (mediaType: string, bytes: Buffer | string) => ({
  parts: [{ type: 'file', file: { file_data: dataUrl(mediaType, bytes), filename: 'file.bin' } }],
  param: 'messages[0].content[1]',
});
const ZIP = 'PK\x03\x04 a packed file';
const OLE = Buffer.from('d0cf11e0a1b11ae1d0cf', 'hex');
const schema = (more: object = {}) => ({
  response_format: {
    type: 'json_schema',
    json_schema: { name: 'form', schema: { type: 'object', properties: { marked_here: {} } }, ...more },
  },
});
const effort = (value: string) => ({
  fields: { reasoning: { effort: value } },
  sent: new RegExp(`"(?:reasoning_)?effort":"${value}"`),
  param: 'reasoning.effort',
});

export const SAMPLES: Readonly<Record<Feature, Sample>> = {
  'image_url: data': {
    parts: [{ type: 'image_url', image_url: { url: IMAGE } }],
    sent: imageData,
    param: 'messages[0].content[1]',
  },
  'image_url: https': {
    parts: [{ type: 'image_url', image_url: { url: 'https://images.invalid/a.png' } }],
    sent: /https:\/\/images\.invalid\/a\.png/,
    param: 'messages[0].content[1]',
  },
  'image_url: detail': {
    parts: [{ type: 'image_url', image_url: { url: IMAGE, detail: 'low' } }],
    sent: /"detail":"low"/,
    param: 'messages[0].content[1].image_url.detail',
  },
  'file: application/pdf': { ...file('application/pdf', PDF), sent: /JVBERi0xLjcK/ },
  'file: text/plain': { ...file('text/plain', 'a text of its own'), sent: /a text of its own|YSB0ZXh0IG9mIGl0cyBvd2/ },
  'file: text/csv': { ...file('text/csv', 'a,list,of,values'), sent: /YSxsaXN0LG9mLHZhbHVlcw/ },
  'file: text/html': { ...file('text/html', '<p>a page</p>'), sent: /PHA\+YSBwYWdlPC9wPg/ },
  'file: text/markdown': { ...file('text/markdown', '# a title here'), sent: /IyBhIHRpdGxlIGhlcmU/ },
  'file: application/msword': { ...file('application/msword', OLE), sent: /0M8R4KGxGuHQ/ },
  'file: application/vnd.openxmlformats-officedocument.wordprocessingml.document': {
    ...file('application/vnd.openxmlformats-officedocument.wordprocessingml.document', ZIP),
    sent: /UEsDBCBhIHBhY2tlZCBmaWxl/,
  },
  'file: application/vnd.ms-excel': { ...file('application/vnd.ms-excel', OLE), sent: /0M8R4KGxGuHQ/ },
  'file: application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': {
    ...file('application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', ZIP),
    sent: /UEsDBCBhIHBhY2tlZCBmaWxl/,
  },
  'tool_choice: none': {
    fields: { tools: TOOLS, tool_choice: 'none' },
    sent: /"tool_choice":(?:"none"|\{"type":"none"\})/,
    param: 'tool_choice',
  },
  'tool_choice: auto': {
    fields: { tools: TOOLS, tool_choice: 'auto' },
    sent: /"tool_?[cC]hoice":(?:"auto"|\{"type":"auto"\}|\{"auto":\{\}\})/,
    param: 'tool_choice',
  },
  'tool_choice: required': {
    fields: { tools: TOOLS, tool_choice: 'required' },
    sent: /"tool_?[cC]hoice":(?:"required"|\{"type":"any"\}|\{"any":\{\}\})/,
    param: 'tool_choice',
  },
  'tool_choice: named': {
    fields: { tools: TOOLS, tool_choice: { type: 'function', function: { name: 'look_up' } } },
    sent: /"tool_?[cC]hoice":\{.*"name":"look_up"/,
    param: 'tool_choice',
  },
  'tools: strict': {
    fields: { tools: [tool({}, { strict: true })] },
    sent: /"strict":true/,
    param: 'tools[0].function.strict',
  },
  'parallel_tool_calls: false': {
    fields: { tools: TOOLS, parallel_tool_calls: false },
    sent: /"parallel_tool_calls":false|"disable_parallel_tool_use":true/,
    param: 'parallel_tool_calls',
  },
  'tool_calls without tools': { turns: [called(), result()], sent: /"call_1"/, param: 'tools' },
  'tool_calls: signature': {
    fields: { tools: TOOLS },
    turns: [called({ signature: 'mark of a call' }), result()],
    sent: /"thought_signature":"mark of a call"/,
    param: 'messages[1].tool_calls[0].signature',
  },
  'is_error: true': {
    fields: { tools: TOOLS },
    turns: [called(), result({ is_error: true })],
    sent: /"is_error":true|"status":"error"/,
    param: 'messages[2].is_error',
  },
  'images and files in results of tools': {
    fields: { tools: TOOLS },
    turns: [
      called(),
      result({
        content: [
          { type: 'text', text: 'seen' },
          { type: 'image_url', image_url: { url: IMAGE } },
        ],
      }),
    ],
    sent: imageData,
    param: 'messages[2].content[1]',
  },
  'response_format: json_object': {
    fields: { response_format: { type: 'json_object' } },
    sent: /"json_object"/,
    param: 'response_format',
  },
  'response_format: json_schema': { fields: schema(), sent: /marked_here/, param: 'response_format' },
  'response_format: description': {
    fields: schema({ description: 'what it is for' }),
    sent: /what it is for/,
    param: 'response_format.json_schema.description',
  },
  'reasoning.effort: none': {
    ...effort('none'),
    sent: /"reasoning_effort":"none"|"thinking":\{"type":"disabled"\}/,
  },
  'reasoning.effort: minimal': effort('minimal'),
  'reasoning.effort: low': effort('low'),
  'reasoning.effort: medium': effort('medium'),
  'reasoning.effort: high': effort('high'),
  'reasoning.effort: xhigh': effort('xhigh'),
  'reasoning.effort: max': effort('max'),
  'reasoning.budget_tokens': {
    fields: { reasoning: { budget_tokens: 1_500 } },
    sent: /"budget_tokens":1500/,
    param: 'reasoning.budget_tokens',
  },
  reasoning_details: {
    turns: [
      {
        role: 'assistant',
        content: 'So.',
        reasoning_details: [{ type: 'reasoning.text', text: 'hm', signature: 'mark of a thought' }],
      },
    ],
    sent: /"mark of a thought"/,
    param: 'messages[1].reasoning_details',
  },
  'cache_control: parts': {
    parts: [{ type: 'text', text: 'a long text', cache_control: { type: 'ephemeral' } }],
    sent: /"cache_control":\{"type":"ephemeral"\}|"prompt_cache_breakpoint"|"cachePoint"/,
    param: 'messages[0].content[1].cache_control',
  },
  'cache_control: tools': {
    fields: { tools: [tool({ cache_control: { type: 'ephemeral' } })] },
    sent: /"cache_control":\{"type":"ephemeral"\}|"cachePoint"/,
    param: 'tools[0].cache_control',
  },
  'cache_control: ttl': {
    parts: [{ type: 'text', text: 'a long text', cache_control: { type: 'ephemeral', ttl: '1h' } }],
    sent: /"ttl":"1h"/,
    // A provider that takes no mark at all is told of that.
    param: 'messages[0].content[1].cache_control.ttl',
  },
  n: { fields: { n: 2 }, sent: /"n":2/, param: 'n' },
  seed: { fields: { seed: 7 }, sent: /"(?:random_)?seed":7/, param: 'seed' },
  logprobs: {
    fields: { logprobs: true, top_logprobs: 3 },
    sent: /"logprobs":true,.*"top_logprobs":3/,
    param: 'logprobs',
  },
  logit_bias: { fields: { logit_bias: { 50256: -100 } }, sent: /"logit_bias":\{"50256":-100\}/, param: 'logit_bias' },
  frequency_penalty: {
    fields: { frequency_penalty: 0.25 },
    sent: /"frequency_penalty":0\.25/,
    param: 'frequency_penalty',
  },
  presence_penalty: { fields: { presence_penalty: -1 }, sent: /"presence_penalty":-1/, param: 'presence_penalty' },
  prediction: {
    fields: { prediction: { type: 'content', content: [{ type: 'text', text: 'as foreseen' }] } },
    sent: /"prediction":\{"type":"content","content":"as foreseen"\}/,
    param: 'prediction',
  },
  verbosity: { fields: { verbosity: 'low' }, sent: /"verbosity":"low"/, param: 'verbosity' },
  'service_tier: auto': {
    fields: { service_tier: 'auto' },
    sent: /"service_tier":"auto"/,
    param: 'service_tier',
  },
  'service_tier: default': {
    fields: { service_tier: 'default' },
    sent: /"service_tier":"(?:default|standard_only|on_demand)"|"serviceTier":\{"type":"default"\}/,
    param: 'service_tier',
  },
  'service_tier: flex': {
    fields: { service_tier: 'flex' },
    sent: /"service_tier":"flex"|"serviceTier":\{"type":"flex"\}/,
    param: 'service_tier',
  },
  'service_tier: priority': {
    fields: { service_tier: 'priority' },
    sent: /"service_tier":"priority"|"serviceTier":\{"type":"priority"\}/,
    param: 'service_tier',
  },
  user: { fields: { user: 'user-42@acme' }, sent: /"user(?:_id)?":"user-42@acme"/, param: 'user' },
  top_k: { fields: { top_k: 5 }, sent: /"top_?k":5/, param: 'top_k' },
};

const FIRST = { type: 'text', text: 'Look.' };

/** The request that some samples make together: what comes later in them holds. */
export const requestOf = (samples: readonly Sample[]): object => {
  const parts = samples.flatMap((sample) => sample.parts ?? []);
  const turns = samples.flatMap((sample) => sample.turns ?? []);
  const last = { role: 'user', content: 'And now?' };
  return {
    model: 'model-1',
    messages: [{ role: 'user', content: [FIRST, ...parts] }, ...turns, ...(turns.length > 0 ? [last] : [])],
    ...Object.assign({}, ...samples.map((sample) => sample.fields ?? {})),
  };
};
