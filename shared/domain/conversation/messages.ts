/** The messages of a request, each by itself and beside those before it. */
import { z } from 'zod';
import { parts, textParts } from './content.ts';
import { answerPart, reasoningDetail } from './reasoning.ts';
import { FINISH_REASONS } from './result.ts';
import { MAX_TOOLS, toolCall } from './tools.ts';

const MAX_MESSAGES = 1_000;
const MAX_BLOCKS = 1_000;

const text = z.string().min(1);
const OF_A_RESULT = 'As a `result` has it, so that it can be sent back. It goes to no provider.';

const instructions = z.strictObject({
  role: z.enum(['system', 'developer']),
  content: z.union([text, textParts]).describe('A text, or a list of texts.'),
});
const question = z.strictObject({
  role: z.literal('user'),
  content: z.union([text, parts]).describe('A text, or a list of texts, images and files.'),
});
const answer = z.strictObject({
  role: z.literal('assistant'),
  content: z
    .union([z.string(), textParts])
    .nullable()
    .describe('A text, which may be empty, or a list of texts; null only beside `tool_calls`, `refusal` or `parts`.'),
  tool_calls: z.array(toolCall).min(1).max(MAX_TOOLS).optional(),
  reasoning_details: z
    .array(reasoningDetail)
    .min(1)
    .max(MAX_BLOCKS)
    .optional()
    .describe('Of a `result` of the same provider, unchanged.'),
  parts: z.array(answerPart).min(1).max(MAX_BLOCKS).optional().describe('Of a `result`, unchanged.'),
  refusal: z.string().min(1).optional(),
  finish_reason: z.enum(FINISH_REASONS).optional().describe(OF_A_RESULT),
  provider_finish_reason: z.string().optional().describe(OF_A_RESULT),
  annotations: z.array(z.unknown()).optional().describe(OF_A_RESULT),
  logprobs: z.looseObject({}).optional().describe(OF_A_RESULT),
  choices: z.array(z.unknown()).optional().describe(OF_A_RESULT),
});
const toolResult = z.strictObject({
  role: z.literal('tool'),
  tool_call_id: z.string().min(1).max(256).describe('Of a call in the last message of role `assistant`.'),
  content: z.union([z.string(), parts]).describe('A text, which may be empty, or a list of texts, images and files.'),
  is_error: z.boolean().optional(),
});

export const message = z.discriminatedUnion('role', [instructions, question, answer, toolResult]);

type Answer = z.infer<typeof answer>;
/** An answer without what only a `result` has. */
export type AssistantMessage = Pick<
  Answer,
  'role' | 'content' | 'tool_calls' | 'reasoning_details' | 'parts' | 'refusal'
>;
export type InstructionMessage = z.infer<typeof instructions>;
export type UserMessage = z.infer<typeof question>;
export type ToolMessage = z.infer<typeof toolResult>;
export type Message = InstructionMessage | UserMessage | AssistantMessage | ToolMessage;

const withoutExtras = (one: z.infer<typeof message>): Message => {
  if (one.role !== 'assistant') return one;
  const {
    finish_reason: _,
    provider_finish_reason: _word,
    annotations: _notes,
    logprobs: _odds,
    choices: _all,
    ...kept
  } = one;
  return kept;
};

type Problem = { path: (string | number)[]; message: string };

const textOf = (content: Answer['content']): string =>
  typeof content === 'string' ? content : (content ?? []).map((part) => part.text).join('');

/** Whether blocks name each thought and each call once, in their order, and say the content. */
const areBlocksOf = ({ parts: blocks = [], content, reasoning_details = [], tool_calls = [] }: Answer): boolean => {
  const said = blocks.flatMap((block) => (block.type === 'text' ? [block.text] : []));
  const thoughts = blocks.flatMap((block) => (block.type === 'reasoning' ? [block.index] : []));
  const calls = blocks.flatMap((block) => (block.type === 'tool_call' ? [block.id] : []));
  return (
    said.join('') === textOf(content) &&
    thoughts.length === reasoning_details.length &&
    thoughts.every((index, at) => index === at) &&
    calls.length === tool_calls.length &&
    calls.every((id, at) => id === tool_calls[at]?.id)
  );
};

const answerProblem = (one: Answer): Problem | null => {
  if (one.content === null && !one.tool_calls && !one.refusal && !one.parts) {
    return {
      path: ['content'],
      message: 'must be a string or an array, unless tool_calls, refusal or parts stand there',
    };
  }
  if (one.parts && !areBlocksOf(one)) {
    return { path: ['parts'], message: 'must name the content, reasoning_details and tool_calls beside them in order' };
  }
  return null;
};

/** Which calls are still without their results, and who made them. */
type Open = { at: number; ids: Set<string> };

/** What is wrong with calls and their results, read from the first message to the last. */
const createPairing = () => {
  const known = new Set<string>();
  let open: Open = { at: 0, ids: new Set() };
  const unanswered = (): Problem | null =>
    open.ids.size === 0
      ? null
      : {
          path: [open.at, 'tool_calls'],
          message: 'must each have a result, a message of role tool, before any other message follows',
        };
  return {
    next: (one: z.infer<typeof message>, index: number): Problem | null => {
      if (one.role === 'tool') {
        if (open.ids.delete(one.tool_call_id)) return null;
        const path = [index, 'tool_call_id'];
        return { path, message: 'must name a call of the assistant’s message before it that has no result yet' };
      }
      const missing = unanswered();
      if (missing !== null || one.role !== 'assistant') return missing;
      open = { at: index, ids: new Set() };
      for (const [at, { id }] of (one.tool_calls ?? []).entries()) {
        if (known.has(id)) {
          const path = [index, 'tool_calls', at, 'id'];
          return { path, message: 'must be different for each call of the conversation' };
        }
        known.add(id);
        open.ids.add(id);
      }
      return null;
    },
    end: unanswered,
  };
};

/** Stops at the first wrong entry: all the faults of a hostile megabyte would block the process for a second. */
const parseMessages = (entries: readonly unknown[], context: z.RefinementCtx): Message[] => {
  const found: Message[] = [];
  const pairing = createPairing();
  const raise = ({ path, message: problem }: Problem): never => {
    context.addIssue({ code: 'custom', message: problem, path, input: entries });
    return z.NEVER;
  };
  for (const [index, entry] of entries.entries()) {
    const parsed = message.safeParse(entry, { reportInput: true });
    if (!parsed.success) {
      for (const issue of parsed.error.issues.slice(0, 1)) {
        // A cast because an issue that was found is one that can be raised; only its path is longer.
        context.issues.push({ ...issue, path: [index, ...issue.path] } as z.core.$ZodRawIssue);
      }
      return z.NEVER;
    }
    const own = parsed.data.role === 'assistant' ? answerProblem(parsed.data) : null;
    if (own !== null) return raise({ ...own, path: [index, ...own.path] });
    const problem = pairing.next(parsed.data, index);
    if (problem !== null) return raise(problem);
    found.push(withoutExtras(parsed.data));
  }
  const problem = pairing.end();
  return problem === null ? found : raise(problem);
};

export const messages = z
  .array(z.unknown())
  .min(1)
  .max(MAX_MESSAGES)
  .transform(parseMessages)
  .refine((all) => all.some(({ role }) => role === 'user'), 'needs at least one message of role user')
  .describe('In their order; at least one of role `user`.');
