/** Responses as api.openai.com speaks it. https://developers.openai.com/api/reference/resources/responses */
import { z } from 'zod';
import { callsOf } from '../stand-in/chat-completions.ts';
import { type Ask, type Form, Refusal, type Wants, type Wire } from '../stand-in/wire.ts';
import { responseOf, responseStreaming } from './response-answers-stand-in.ts';
import { openaiWire } from './stand-in.ts';

const part = z.looseObject({ type: z.string().default('input_text'), text: z.string().optional() });
const content = z.union([z.string().transform((text) => [{ type: 'input_text', text }]), z.array(part)]);
const tool = z
  .looseObject({ type: z.literal('function'), name: z.string(), parameters: z.unknown().optional() })
  .transform(({ name, parameters }): Form => ({ name, schema: parameters ?? {} }));
const requestForm = z.looseObject({
  model: z.string().min(1),
  input: z.union([
    z.string().transform((text) => [{ type: 'message', role: 'user', content: [{ type: 'input_text', text }] }]),
    z
      .array(
        z.looseObject({
          type: z.string().default('message'),
          role: z.string().default(''),
          content: content.default([]),
        }),
      )
      .min(1),
  ]),
  max_output_tokens: z.int().nullish(),
  temperature: z.number().nullish(),
  tools: z.array(z.unknown()).nullish(),
  tool_choice: z.union([z.string(), z.looseObject({ name: z.string() }).transform(({ name }) => name)]).optional(),
  parallel_tool_calls: z.boolean().nullish(),
  text: z
    .looseObject({
      format: z
        .looseObject({ type: z.string(), name: z.string().optional(), schema: z.unknown().optional() })
        .optional(),
    })
    .optional(),
  reasoning: z.looseObject({ effort: z.string().nullish() }).nullish(),
  stream: z.boolean().nullish(),
});
type Request = z.infer<typeof requestForm>;

const RESULTS: ReadonlySet<string> = new Set(['function_call_output', 'custom_tool_call_output']);

const wantsOf = (request: Request): Wants => {
  const { input, tools, tool_choice: choice, text, reasoning } = request;
  const format = text?.format;
  const parts = input.flatMap((item) => item.content);
  return {
    // Tools that the provider runs are not run here.
    calls: callsOf(
      (tools ?? []).flatMap((each) => tool.safeParse(each).data ?? []),
      {
        after: RESULTS.has(input.at(-1)?.type ?? '') ? 'results' : 'question',
        choice,
        alone: request.parallel_tool_calls === false,
      },
    ),
    form:
      format === undefined || format.type === 'text'
        ? null
        : { name: format.name ?? 'object', schema: format.schema ?? { type: 'object' } },
    reasoning: (reasoning?.effort ?? 'none') !== 'none',
    choices: 1,
    logprobs: false,
    media: parts.filter(({ type }) => type === 'input_image' || type === 'input_file').length,
  };
};

const askOf = (body: unknown): Ask => {
  const request = requestForm.safeParse(body).data;
  if (request === undefined) throw new Refusal(400, 'Invalid request: it needs a model and an input.');
  const { model, input } = request;
  const textsOf = (parts: readonly z.infer<typeof part>[]): string[] => parts.flatMap(({ text }) => text ?? []);
  return {
    model,
    texts: input.flatMap((item) => textsOf(item.content)),
    prompt: textsOf(input.findLast(({ role }) => role === 'user')?.content ?? []).join('\n'),
    maxTokens: request.max_output_tokens ?? null,
    temperature: request.temperature ?? null,
    stop: [],
    wants: wantsOf(request),
    stream: request.stream ? { usage: true } : null,
  };
};

export const openaiResponsesWire: Wire = {
  ...openaiWire,
  path: /^\/responses$/,
  readAsk: askOf,
  answer: (answer, ask) => ({ ...openaiWire.answer(answer, ask), body: responseOf(answer) }),
  streaming: responseStreaming,
};
