/** Chat Completions as everybody speaks it; what one speaker alone does comes in. */
import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';
import { wordsOf } from './pieces.ts';
import { type Answer, type Ask, type Form, Refusal, type Wants } from './wire.ts';

const content = z
  .union([
    z.string().transform((text) => [{ type: 'text' as const, text }]),
    z.array(z.looseObject({ type: z.enum(['text', 'image_url', 'file']), text: z.string().optional() })),
  ])
  .nullish()
  .transform((parts) => parts ?? []);

const tool = z
  .looseObject({
    type: z.literal('function'),
    function: z.looseObject({ name: z.string(), parameters: z.unknown().optional() }),
  })
  .transform(({ function: { name, parameters } }): Form => ({ name, schema: parameters ?? {} }));

const requestForm = z.looseObject({
  model: z.string().min(1),
  messages: z.array(z.looseObject({ role: z.string(), content })).min(1),
  max_tokens: z.int().nullish(),
  max_completion_tokens: z.int().nullish(),
  temperature: z.number().nullish(),
  stop: z
    .union([z.string().transform((one) => [one]), z.array(z.string())])
    .nullish()
    .transform((stop) => stop ?? []),
  tools: z.array(tool).optional(),
  tool_choice: z
    .union([
      z.string(),
      z.object({ function: z.object({ name: z.string() }) }).transform((named) => named.function.name),
    ])
    .optional(),
  parallel_tool_calls: z.boolean().optional(),
  response_format: z
    .looseObject({
      type: z.string(),
      json_schema: z.looseObject({ name: z.string(), schema: z.unknown() }).optional(),
    })
    .optional(),
  reasoning_effort: z.string().optional(),
  n: z.int().optional(),
  logprobs: z.boolean().optional(),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
});

export type ChatRequest = z.infer<typeof requestForm>;

const FINISH_REASONS = {
  stop: 'stop',
  stop_sequence: 'stop',
  length: 'length',
  content_filter: 'content_filter',
  tool_calls: 'tool_calls',
  other: 'unheard_of',
} as const;

export const bearerOf = ({ authorization = '' }: IncomingHttpHeaders): string =>
  /^Bearer (\S+)$/.exec(authorization)?.[1] ?? '';

export const readChatRequest = (body: unknown): ChatRequest => {
  const request = requestForm.safeParse(body).data;
  if (request === undefined) throw new Refusal(400, 'Invalid request: it needs a model and messages of text.');
  return request;
};

/** What is called at this turn: nothing behind results, the tool that is named, or each of those that are offered. */
export const callsOf = (
  tools: readonly Form[],
  { after, choice, alone }: { after: 'question' | 'results'; choice: string | undefined; alone: boolean },
): Form[] => {
  if (after === 'results' || choice === 'none') return [];
  const named = tools.filter(({ name }) => name === choice);
  const called = named.length > 0 ? named : tools;
  return called.slice(0, alone ? 1 : called.length);
};

const wantsOf = (request: ChatRequest): Wants => {
  const { messages, tools = [], response_format: format, reasoning_effort: effort } = request;
  const after = messages.at(-1)?.role === 'user' ? 'question' : 'results';
  return {
    calls: callsOf(tools, { after, choice: request.tool_choice, alone: request.parallel_tool_calls === false }),
    form:
      format === undefined || format.type === 'text'
        ? null
        : { name: format.json_schema?.name ?? 'object', schema: format.json_schema?.schema ?? { type: 'object' } },
    reasoning: effort !== undefined && effort !== 'none',
    choices: request.n ?? 1,
    logprobs: request.logprobs ?? false,
    media: messages.flatMap((message) => message.content).filter(({ type }) => type !== 'text').length,
  };
};

const textsOf = (parts: readonly { text?: string | undefined }[]): string[] => parts.flatMap(({ text }) => text ?? []);

export const askOf = (request: ChatRequest): Ask => {
  const { model, messages, stop } = request;
  return {
    model,
    texts: messages.flatMap((message) => textsOf(message.content)),
    prompt: textsOf(messages.findLast(({ role }) => role === 'user')?.content ?? []).join('\n'),
    maxTokens: request.max_completion_tokens ?? request.max_tokens ?? null,
    temperature: request.temperature ?? null,
    stop,
    wants: wantsOf(request),
    stream: request.stream ? { usage: request.stream_options?.include_usage ?? false } : null,
  };
};

const logprobsOf = (text: string) => ({
  content: wordsOf(text).map((token) => ({
    token,
    logprob: -0.25,
    bytes: [...Buffer.from(token)],
    top_logprobs: [],
  })),
  refusal: null,
});

export const chatAnswer = ({ id, model, text, calls, choices, logprobs, finish, tokens, reasoning }: Answer) => {
  const input = tokens.input + tokens.cached + tokens.cacheWritten;
  const tool_calls = calls.map((call) => ({
    id: call.id,
    type: 'function',
    function: { name: call.name, arguments: JSON.stringify(call.arguments) },
  }));
  const message = {
    role: 'assistant',
    content: text === '' && tool_calls.length > 0 ? null : text,
    refusal: null,
    annotations: [],
    ...(tool_calls.length > 0 && { tool_calls }),
  };
  return {
    id: `chatcmpl-${id}`,
    object: 'chat.completion',
    created: Math.floor(Date.now() / 1000),
    model,
    choices: Array.from({ length: choices }, (_, index) => ({
      index,
      message,
      logprobs: logprobs ? logprobsOf(text) : null,
      finish_reason: FINISH_REASONS[finish],
    })),
    usage: {
      prompt_tokens: input,
      completion_tokens: tokens.output,
      total_tokens: input + tokens.output,
      prompt_tokens_details: {
        cached_tokens: tokens.cached,
        cache_write_tokens: tokens.cacheWritten,
        audio_tokens: 0,
      },
      completion_tokens_details: { reasoning_tokens: reasoning ? tokens.reasoning : 0, audio_tokens: 0 },
    },
  };
};
