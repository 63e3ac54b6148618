/** Chat Completions as everybody speaks it; what one speaker alone does comes in. */
import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';
import { type Answer, type Ask, Refusal } from './wire.ts';

const content = z.union([
  z.string().transform((text) => [text]),
  z.array(z.looseObject({ type: z.literal('text'), text: z.string() }).transform(({ text }) => text)),
]);
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
});

export type ChatRequest = z.infer<typeof requestForm>;

const FINISH_REASONS = {
  stop: 'stop',
  stop_sequence: 'stop',
  length: 'length',
  content_filter: 'content_filter',
  other: 'tool_calls',
} as const;

export const bearerOf = ({ authorization = '' }: IncomingHttpHeaders): string =>
  /^Bearer (\S+)$/.exec(authorization)?.[1] ?? '';

export const readChatRequest = (body: unknown): ChatRequest => {
  const request = requestForm.safeParse(body).data;
  if (request === undefined) throw new Refusal(400, 'Invalid request: it needs a model and messages of text.');
  return request;
};

export const askOf = ({ model, messages, stop, ...request }: ChatRequest): Ask => ({
  model,
  texts: messages.flatMap((message) => message.content),
  prompt: messages.findLast(({ role }) => role === 'user')?.content.join('\n') ?? '',
  maxTokens: request.max_completion_tokens ?? request.max_tokens ?? null,
  temperature: request.temperature ?? null,
  stop,
});

export const chatAnswer = ({ id, model, text, finish, tokens }: Answer) => {
  const input = tokens.input + tokens.cached + tokens.cacheWritten;
  return {
    id: `chatcmpl-${id}`,
    object: 'chat.completion',
    created: Math.floor(Date.now() / 1000),
    model,
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: text, refusal: null, annotations: [] },
        logprobs: null,
        finish_reason: FINISH_REASONS[finish],
      },
    ],
    usage: {
      prompt_tokens: input,
      completion_tokens: tokens.output,
      total_tokens: input + tokens.output,
      prompt_tokens_details: {
        cached_tokens: tokens.cached,
        cache_write_tokens: tokens.cacheWritten,
        audio_tokens: 0,
      },
      completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 },
    },
  };
};
