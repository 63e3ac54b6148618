/** What a model thought before it answered, as its provider gave it: opaque, and sent back unchanged. */
import { z } from 'zod';

export const reasoningDetail = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('reasoning.text'),
    text: z.string().describe('May be empty, where the signature stands for it.'),
    signature: z.string().optional(),
  }),
  z.strictObject({ type: z.literal('reasoning.encrypted'), data: z.string().min(1) }),
]);
export type ReasoningDetail = z.infer<typeof reasoningDetail>;

/** One block of an answer, in its place; what is no text is named, because it stands in a list of its own. */
export const answerPart = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text'), text: z.string() }),
  z.strictObject({ type: z.literal('reasoning'), index: z.int().min(0).describe('In `reasoning_details`.') }),
  z.strictObject({ type: z.literal('tool_call'), id: z.string() }),
]);
export type AnswerPart = z.infer<typeof answerPart>;
