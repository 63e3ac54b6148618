/** Messages as api.anthropic.com speaks it, in the API versions 2023-06-01 and 2026-10-21. */
import { z } from 'zod';
import { callsOf } from '../stand-in/chat-completions.ts';
import { type Demands, type Form, Refusal, type Wants, type Wire } from '../stand-in/wire.ts';
import { messageOf, messageStreaming } from './answers-stand-in.ts';

/** From this version on sampling parameters are refused and the key is a bearer token. */
const BEARER_VERSION = '2026-10-21';
const OLDER_VERSION = '2023-06-01';

const block = z.looseObject({
  type: z.enum(['text', 'image', 'document', 'tool_use', 'tool_result', 'thinking', 'redacted_thinking']),
  text: z.string().optional(),
});
const content = z.union([z.string().transform((text) => [{ type: 'text' as const, text }]), z.array(block)]);
const tool = z
  .looseObject({ name: z.string(), input_schema: z.looseObject({}) })
  .transform(({ name, input_schema: schema }): Form => ({ name, schema }));
const requestForm = z.looseObject({
  model: z.string().min(1),
  max_tokens: z.int().min(1),
  temperature: z.number().optional(),
  messages: z.array(z.looseObject({ role: z.enum(['user', 'assistant', 'system']), content })).min(1),
  system: content.optional(),
  stop_sequences: z.array(z.string()).optional(),
  tools: z.array(tool).optional(),
  tool_choice: z
    .object({
      type: z.enum(['auto', 'any', 'none', 'tool']),
      name: z.string().optional(),
      disable_parallel_tool_use: z.boolean().optional(),
    })
    .optional(),
  output_config: z
    .looseObject({
      effort: z.string().optional(),
      format: z.object({ type: z.literal('json_schema'), schema: z.looseObject({}) }).optional(),
    })
    .optional(),
  thinking: z.looseObject({ type: z.string() }).optional(),
  stream: z.boolean().optional(),
});
type Request = z.infer<typeof requestForm>;

const textsOf = (blocks: z.infer<typeof content>): string[] => blocks.flatMap(({ text }) => text ?? []);

const wantsOf = ({ messages, tools = [], tool_choice: choice, output_config: output, thinking }: Request): Wants => {
  const format = output?.format;
  const blocks = messages.flatMap((message) => message.content);
  return {
    calls: callsOf(tools, {
      after: messages.at(-1)?.content.some(({ type }) => type === 'tool_result') ? 'results' : 'question',
      choice: choice?.name ?? choice?.type,
      alone: choice?.disable_parallel_tool_use ?? false,
    }),
    form: format ? { name: 'object', schema: format.schema } : null,
    reasoning: thinking ? thinking.type !== 'disabled' : output?.effort !== undefined,
    choices: 1,
    logprobs: false,
    media: blocks.filter(({ type }) => type === 'image' || type === 'document').length,
  };
};

const ERROR_TYPES: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  504: 'timeout_error',
  529: 'overloaded_error',
};

/** Results of tools are no prompt. */
const isQuestion = ({ role, content: blocks }: Request['messages'][number]): boolean =>
  role === 'user' && blocks.some(({ text }) => text !== undefined);

const reply = (status: number, id: string, body: Record<string, unknown>) => ({
  status,
  headers: { 'request-id': id, 'anthropic-organization-id': 'org_sandbox' },
  body,
});

const error = (status: number, id: string, message: string) => {
  const type = ERROR_TYPES[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error');
  return reply(status, id, { type: 'error', error: { type, message, details: null }, request_id: id });
};

/** https://platform.claude.com/docs/en/about-claude/models/overview */
const demands: Demands = {
  ownModels: null,
  limits: [
    { models: /^claude-3-(?:haiku|opus)/, maxTokens: 4_096 },
    { models: /^claude-3-5-/, maxTokens: 8_192 },
    { models: /^claude-opus-4-(?:1|2025)/, maxTokens: 32_000 },
    { models: /^claude-(?:opus-4-5|sonnet-4-5|sonnet-4-2025|haiku-4-5)/, maxTokens: 64_000 },
    { models: /^claude-/, maxTokens: 128_000 },
  ],
  noSuchModel: (model) => new Refusal(404, `model: ${model}`),
  temperature: (_value, [min, max]) => `temperature: range: ${min}..${max}`,
  maxTokens: (value, max, model) =>
    `max_tokens: ${value} > ${max}, which is the maximum allowed number of output tokens for ${model}`,
};

export const anthropicWire: Wire = {
  provider: 'anthropic',
  path: /^\/v1\/messages$/,
  demands,

  keyOf: (headers) => {
    const { authorization, 'x-api-key': key } = headers;
    const bearer = headers['anthropic-version'] === BEARER_VERSION;
    // Two credentials at once are as wrong as none.
    if (bearer ? key !== undefined : authorization !== undefined) return '';
    return bearer ? (/^Bearer (\S+)$/.exec(authorization ?? '')?.[1] ?? '') : String(key ?? '');
  },

  readAsk: (body, headers) => {
    const version = headers['anthropic-version'];
    if (version !== BEARER_VERSION && version !== OLDER_VERSION) {
      throw new Refusal(400, 'anthropic-version: header is required and must name a version that exists');
    }
    const request = requestForm.safeParse(body).data;
    if (request === undefined) {
      throw new Refusal(400, 'model, max_tokens and messages of text from user and assistant are required');
    }
    for (const parameter of ['temperature', 'top_p', 'top_k']) {
      if (version === BEARER_VERSION && parameter in request) {
        throw new Refusal(400, `${parameter}: Extra inputs are not permitted`);
      }
    }
    const { model, messages, system, max_tokens, stop_sequences } = request;
    for (const [at, { role }] of messages.entries()) {
      if (role !== 'system') continue;
      if (at === 0) {
        throw new Refusal(400, "messages.0: use the top-level 'system' parameter for the initial system prompt");
      }
      if (messages[at - 1]?.role !== 'user' || messages[at + 1]?.role === 'user') {
        throw new Refusal(400, `messages.${at}: a system message must end a user turn`);
      }
    }
    const last = messages.at(-1);
    if (last?.role === 'assistant' && /\s$/.test(last.content.at(-1)?.text ?? '')) {
      throw new Refusal(400, 'messages: final assistant content cannot end with trailing whitespace');
    }
    return {
      model,
      texts: [...textsOf(system ?? []), ...messages.flatMap((message) => textsOf(message.content))],
      prompt: textsOf(messages.findLast(isQuestion)?.content ?? []).join('\n'),
      maxTokens: max_tokens,
      temperature: request.temperature ?? null,
      stop: stop_sequences ?? [],
      wants: wantsOf(request),
      stream: request.stream ? { usage: true } : null,
    };
  },

  answer: (answer) => reply(200, answer.id, messageOf(answer)),
  streaming: messageStreaming,

  error: (trouble, id) => {
    if (trouble.kind === 'bad_key') return error(401, id, 'invalid x-api-key');
    if (trouble.kind === 'status') return error(trouble.status, id, trouble.message);
    return error(
      400,
      id,
      'Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.',
    );
  },
};

/** https://platform.claude.com/docs/en/build-with-claude/token-counting */
export const anthropicCountWire: Wire = {
  ...anthropicWire,
  path: /^\/v1\/messages\/count_tokens$/,
  streaming: null,
  // The same messages, of which no answer is asked for.
  readAsk: (body, headers, pathModel) =>
    anthropicWire.readAsk(typeof body === 'object' ? { ...body, max_tokens: 1 } : body, headers, pathModel),
  answer: (answer, ask) => {
    const { input, cached, cacheWritten } = answer.tokens;
    return { ...anthropicWire.answer(answer, ask), body: { input_tokens: input + cached + cacheWritten } };
  },
};
