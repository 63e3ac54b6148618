/** The provider-neutral request and result: what the API accepts, the queue keeps and every provider adapter understands. */
import { z } from 'zod';
import { type credential, NAMED } from './wire.ts';

/** Whose account a job runs on: the platform's, or the user's own. */
export type CredentialKind = z.infer<typeof credential>;

export const FINISH_REASONS = ['stop', 'length', 'content_filter', 'other'] as const;
export type FinishReason = (typeof FINISH_REASONS)[number];

const textPart = z.strictObject({ type: z.literal('text'), text: z.string().min(1) });

export const message = z
  .strictObject({
    role: z.enum(['system', 'user', 'assistant']),
    content: z
      .union([z.string(), z.array(textPart).min(1).max(100)])
      .describe('A text, or a list of texts. Only that of an `assistant` may be empty.'),
    finish_reason: z
      .enum(FINISH_REASONS)
      .optional()
      .describe('Of an `assistant`: as a job’s `result` has it, so that it can be sent back. It goes to no provider.'),
  })
  .superRefine(({ role, content, finish_reason }, context) => {
    // What a model answered is accepted as its answer, an empty text too.
    if (role === 'assistant') return;
    if (content === '') {
      context.addIssue({ code: 'too_small', origin: 'string', minimum: 1, input: content, path: ['content'] });
    }
    if (finish_reason !== undefined) {
      context.addIssue({ code: 'unrecognized_keys', keys: ['finish_reason'], input: {} });
    }
  })
  .register(NAMED, { id: 'Message' });

/** Stops at the first wrong entry: all the faults of a hostile megabyte would block the process for a second. */
const parseMessages = (entries: readonly unknown[], context: z.RefinementCtx) => {
  const messages: Pick<z.infer<typeof message>, 'role' | 'content'>[] = [];
  for (const [index, entry] of entries.entries()) {
    const parsed = message.safeParse(entry, { reportInput: true });
    if (!parsed.success) {
      for (const issue of parsed.error.issues.slice(0, 1)) {
        // A cast because an issue that was found is one that can be raised; only its path is longer.
        context.issues.push({ ...issue, path: [index, ...issue.path] } as z.core.$ZodRawIssue);
      }
      return z.NEVER;
    }
    const { role, content } = parsed.data;
    messages.push({ role, content });
  }
  return messages;
};

/** Names of fine-tuned models hold those of their base, organization and run. */
export const modelName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,255}$/);

/** The answer's limit where a request names none and one is needed: by Anthropic, and for an estimate. It is within what every current model takes. */
export const DEFAULT_MAX_TOKENS = 4_096;

/** The fields of a completion that a provider is asked for. `model` is filled in before a request is stored. */
export const completionRequest = z.strictObject({
  model: modelName.describe('In the provider’s own naming.'),
  messages: z
    .array(z.unknown())
    .min(1)
    .max(1_000)
    .transform(parseMessages)
    .refine((messages) => messages.some(({ role }) => role === 'user'), 'needs at least one message of role user')
    .describe('In their order; at least one of role `user`.'),
  max_tokens: z
    .int()
    .min(1)
    .max(1_000_000)
    .optional()
    .describe(
      'Of the answer. OpenAI and Groq get it as `max_completion_tokens`; left out, Anthropic gets 4096, and so do all where a budget applies.',
    ),
  temperature: z.number().min(0).max(2).optional().describe('Goes to the provider as it is.'),
  top_p: z.number().min(0).max(1).optional().describe('Goes to the provider as it is.'),
  stop: z.array(z.string().min(1).max(256)).min(1).max(4).optional().describe('The answer ends before any of these.'),
});
export type CompletionRequest = z.infer<typeof completionRequest>;
export type Message = CompletionRequest['messages'][number];

/** The texts of a message, in order. */
export const messageTexts = (content: Message['content']): string[] =>
  typeof content === 'string' ? [content] : content.map((part) => part.text);

export const completionResult = z.object({
  role: z.literal('assistant'),
  content: z.string(),
  finish_reason: z.enum(FINISH_REASONS),
});
export type CompletionResult = z.infer<typeof completionResult>;

/**
 * What one call used, as the provider reported it: whole numbers ≥ 0, each null when it is unknown. `inputTokens` is all input, whatever the provider means
 * by its own figure: `cachedInputTokens` (read from a cache) and `cacheWriteTokens` (written to one) are parts of it. `outputTokens` includes reasoning.
 */
export type TokenUsage = {
  inputTokens: number | null;
  outputTokens: number | null;
  cachedInputTokens: number | null;
  cacheWriteTokens: number | null;
  /** The part of `cacheWriteTokens` that is kept for an hour. */
  hourCacheWriteTokens?: number;
  /** Searches of the web that the provider made for the answer. */
  webSearches?: number;
  /** The answer was served on terms, or with extras, that no price list has: another tier, place or speed. */
  offList?: true;
};
