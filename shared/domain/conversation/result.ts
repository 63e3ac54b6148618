/** The neutral result: what one answer of a model came to. Members that an answer does not have are left out. */
import { z } from 'zod';

/** `pause`: the provider stopped a long turn; send it back as it is, and it goes on. */
export const FINISH_REASONS = ['stop', 'length', 'content_filter', 'tool_calls', 'pause', 'other'] as const;
export type FinishReason = (typeof FINISH_REASONS)[number];

const tokenLogprob = z.object({
  token: z.string(),
  logprob: z.number(),
  bytes: z.array(z.int()).nullish(),
  top_logprobs: z
    .array(z.object({ token: z.string(), logprob: z.number(), bytes: z.array(z.int()).nullish() }))
    .nullish(),
});

export const logprobs = z.object({
  content: z.array(tokenLogprob).nullish(),
  refusal: z.array(tokenLogprob).nullish(),
});

export const annotations = z.array(z.looseObject({ type: z.string() }));

const choice = z.object({
  role: z.literal('assistant'),
  content: z.string().meta({ description: 'The text; of several the whole. Empty if there is none.' }),
  parts: z
    .array(
      z.union([
        z.object({ type: z.literal('text'), text: z.string() }),
        z.object({ type: z.literal('reasoning'), index: z.int().meta({ description: 'In `reasoning_details`.' }) }),
        z.object({ type: z.literal('tool_call'), id: z.string() }),
      ]),
    )
    .optional()
    .meta({ description: 'The blocks in their order, if that is not reasoning, one text, calls.' }),
  tool_calls: z
    .array(
      z.object({
        id: z.string(),
        type: z.literal('function'),
        function: z.object({
          name: z.string(),
          arguments: z.string().meta({ description: 'JSON, as the model wrote it.' }),
        }),
        signature: z.string().optional(),
      }),
    )
    .optional(),
  reasoning_details: z
    .array(
      z.union([
        z.object({ type: z.literal('reasoning.text'), text: z.string(), signature: z.string().optional() }),
        z.object({ type: z.literal('reasoning.encrypted'), data: z.string() }),
      ]),
    )
    .optional()
    .meta({ description: 'What the model thought, to be sent back unchanged.' }),
  refusal: z
    .string()
    .optional()
    .meta({ description: 'Why the model refused; `content` has it too if it has no text.' }),
  annotations: annotations.optional(),
  logprobs: logprobs.optional(),
  finish_reason: z.enum(FINISH_REASONS),
  provider_finish_reason: z
    .string()
    .optional()
    .meta({ description: 'The provider’s own word, if `finish_reason` does not say as much.' }),
});

export const completionResult = choice.extend({
  choices: z.array(choice).optional().meta({ description: 'The answers after the first, if `n` asked for them.' }),
});

export type Choice = z.infer<typeof choice>;
export type CompletionResult = z.infer<typeof completionResult>;
