/** Responses as api.openai.com speaks them, of texts alone. https://developers.openai.com/api/reference/resources/responses */
import { z } from 'zod';
import { type Answer, type Ask, Refusal, type Wire } from '../stand-in/wire.ts';
import { openaiWire } from './stand-in.ts';

const content = z.union([
  z.string().transform((text) => [text]),
  z.array(z.looseObject({ text: z.string().optional() }).transform(({ text }) => text ?? '')),
]);
const requestForm = z.looseObject({
  model: z.string().min(1),
  input: z.union([
    z.string().transform((text) => [{ role: 'user', content: [text] }]),
    z.array(z.looseObject({ role: z.string().default(''), content: content.default([]) })).min(1),
  ]),
  max_output_tokens: z.int().nullish(),
  temperature: z.number().nullish(),
});

const askOf = (body: unknown): Ask => {
  const request = requestForm.safeParse(body).data;
  if (request === undefined) throw new Refusal(400, 'Invalid request: it needs a model and an input.');
  const { model, input } = request;
  return {
    model,
    texts: input.flatMap((item) => item.content),
    prompt: input.findLast(({ role }) => role === 'user')?.content.join('\n') ?? '',
    maxTokens: request.max_output_tokens ?? null,
    temperature: request.temperature ?? null,
    stop: [],
    // Of texts alone.
    wants: { calls: [], form: null, reasoning: false, choices: 1, logprobs: false, media: 0 },
  };
};

const responseOf = ({ id, model, text, finish, tokens }: Answer) => {
  const input = tokens.input + tokens.cached + tokens.cacheWritten;
  const isCut = finish === 'length';
  return {
    id: `resp_${id}`,
    object: 'response',
    created_at: Math.floor(Date.now() / 1000),
    status: isCut ? 'incomplete' : 'completed',
    incomplete_details: isCut ? { reason: 'max_output_tokens' } : null,
    error: null,
    model,
    output: [
      {
        type: 'message',
        id: `msg_${id}`,
        status: isCut ? 'incomplete' : 'completed',
        role: 'assistant',
        content: [{ type: 'output_text', text, annotations: [] }],
      },
    ],
    service_tier: 'default',
    usage: {
      input_tokens: input,
      input_tokens_details: { cached_tokens: tokens.cached },
      output_tokens: tokens.output,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: input + tokens.output,
    },
  };
};

export const openaiResponsesWire: Wire = {
  ...openaiWire,
  path: /^\/responses$/,
  readAsk: askOf,
  answer: (answer, ask) => ({ ...openaiWire.answer(answer, ask), body: responseOf(answer) }),
};
