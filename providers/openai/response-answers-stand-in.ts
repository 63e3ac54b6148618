/** Responses, whole and as the events of a stream: https://developers.openai.com/api/reference/resources/responses/streaming-events */
import { z } from 'zod';
import { shardsOf, wordsOf } from '../stand-in/pieces.ts';
import type { Answer, SentEvent, Streaming } from '../stand-in/wire.ts';

const itemsOf = ({ id, text, reasoning, calls }: Answer, status: 'completed' | 'incomplete') => [
  ...(reasoning
    ? [
        {
          type: 'reasoning' as const,
          id: `rs_${id}`,
          summary: [{ type: 'summary_text' as const, text: reasoning.text }],
        },
      ]
    : []),
  ...(text === '' && calls.length > 0
    ? []
    : [
        {
          type: 'message' as const,
          id: `msg_${id}`,
          status,
          role: 'assistant' as const,
          content: [{ type: 'output_text' as const, text, annotations: [] }],
        },
      ]),
  ...calls.map((call, index) => ({
    type: 'function_call' as const,
    id: `fc_${id}_${index + 1}`,
    status: 'completed' as const,
    call_id: call.id,
    name: call.name,
    arguments: JSON.stringify(call.arguments),
  })),
];
type Item = ReturnType<typeof itemsOf>[number];

export const responseOf = (answer: Answer) => {
  const { id, model, finish, tokens } = answer;
  const input = tokens.input + tokens.cached + tokens.cacheWritten;
  const isCut = finish === 'length';
  const status = isCut ? ('incomplete' as const) : ('completed' as const);
  return {
    id: `resp_${id}`,
    object: 'response',
    created_at: Math.floor(Date.now() / 1000),
    status,
    incomplete_details: isCut ? { reason: 'max_output_tokens' } : null,
    error: null,
    model,
    output: itemsOf(answer, status),
    service_tier: 'default',
    usage: {
      input_tokens: input,
      input_tokens_details: { cached_tokens: tokens.cached },
      output_tokens: tokens.output,
      output_tokens_details: { reasoning_tokens: tokens.reasoning },
      total_tokens: input + tokens.output,
    },
  };
};

type Told = { type: string } & Record<string, unknown>;

/** An item before anything is in it, and what comes into it. */
const piecesOf = (item: Item): { empty: object; events: Told[] } => {
  const at = { item_id: item.id };
  switch (item.type) {
    case 'reasoning':
      return {
        empty: { ...item, summary: [] },
        events: item.summary.flatMap((part, summary_index) => {
          const there = { ...at, summary_index };
          return [
            { type: 'response.reasoning_summary_part.added', ...there, part: { ...part, text: '' } },
            ...wordsOf(part.text).map((delta) => ({
              type: 'response.reasoning_summary_text.delta',
              ...there,
              delta,
            })),
            { type: 'response.reasoning_summary_text.done', ...there, text: part.text },
            { type: 'response.reasoning_summary_part.done', ...there, part },
          ];
        }),
      };
    case 'message':
      return {
        empty: { ...item, status: 'in_progress', content: [] },
        events: item.content.flatMap((part, content_index) => {
          const there = { ...at, content_index };
          return [
            { type: 'response.content_part.added', ...there, part: { ...part, text: '' } },
            ...wordsOf(part.text).map((delta) => ({
              type: 'response.output_text.delta',
              ...there,
              delta,
              logprobs: [],
            })),
            { type: 'response.output_text.done', ...there, text: part.text, logprobs: [] },
            { type: 'response.content_part.done', ...there, part },
          ];
        }),
      };
    case 'function_call':
      return {
        empty: { ...item, status: 'in_progress', arguments: '' },
        events: [
          ...shardsOf(item.arguments).map((delta) => ({
            type: 'response.function_call_arguments.delta',
            ...at,
            delta,
          })),
          { type: 'response.function_call_arguments.done', ...at, name: item.name, arguments: item.arguments },
        ],
      };
  }
};

const numbered = (told: Told, sequence_number: number): SentEvent => ({
  name: told.type,
  data: { ...told, sequence_number },
});

const errorForm = z.object({ error: z.object({ message: z.string(), type: z.string(), code: z.string().nullable() }) });

export const responseStreaming: Streaming = {
  events: (answer) => {
    const whole = responseOf(answer);
    const begun = { ...whole, status: 'in_progress', incomplete_details: null, output: [], usage: null };
    const items = whole.output.flatMap((item, output_index): Told[] => {
      const { empty, events } = piecesOf(item);
      return [
        { type: 'response.output_item.added', output_index, item: empty },
        ...events.map((event) => ({ ...event, output_index })),
        { type: 'response.output_item.done', output_index, item },
      ];
    });
    const told: Told[] = [
      { type: 'response.created', response: begun },
      { type: 'response.in_progress', response: begun },
      ...items,
      { type: `response.${whole.status}`, response: whole },
    ];
    return told.map(numbered);
  },
  failure: (body, sent) => {
    const { message, type, code } = errorForm.parse(body).error;
    return numbered({ type: 'error', code: code ?? type, message, param: null }, sent);
  },
};
