/** The provider-neutral request and result: what the API accepts, the queue keeps and every provider adapter understands. */
import { z } from 'zod';
import { message, messages } from './conversation/messages.ts';
import { generation } from './conversation/options.ts';
import { toolChoice, tools } from './conversation/tools.ts';
import { type credential, NAMED } from './wire.ts';

message.register(NAMED, { id: 'Message' });

/** Whose account a job runs on: the platform's, or the user's own. */
export type CredentialKind = z.infer<typeof credential>;

/** Names of fine-tuned models hold those of their base, organization and run. */
export const modelName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,255}$/);

/** The answer's limit where a request names none and one is needed: by Anthropic, and for an estimate. It is within what every current model takes. */
export const DEFAULT_MAX_TOKENS = 4_096;

/** The fields of a completion that a provider is asked for. `model` is filled in before a request is stored. */
export const completionRequest = z.strictObject({
  model: modelName.describe('In the provider’s own naming.'),
  messages,
  max_tokens: z
    .int()
    .min(1)
    .max(1_000_000)
    .optional()
    .describe(
      'Of the answer. Goes to the provider under the name that it knows; left out, Anthropic gets 4096, and so do all where a budget applies.',
    ),
  temperature: z.number().min(0).max(2).optional().describe('Goes to the provider as it is.'),
  top_p: z.number().min(0).max(1).optional().describe('Goes to the provider as it is.'),
  stop: z
    .union([
      z
        .string()
        .min(1)
        .max(256)
        .transform((only) => [only]),
      z.array(z.string().min(1).max(256)).min(1).max(4),
    ])
    .optional()
    .describe('The answer ends before any of these; one may be sent as a text.'),
  tools: tools.optional().describe('That the model may call; the caller runs them.'),
  tool_choice: toolChoice.optional().describe('`none`, `auto`, `required`, or one tool by its name. Needs `tools`.'),
  parallel_tool_calls: z.boolean().optional().describe('False: one call at a time. Needs `tools`.'),
  ...generation,
});
export type CompletionRequest = z.infer<typeof completionRequest>;

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
  /** Nobody bills the call, whatever its model costs. */
  free?: true;
};

export const NOTHING_USED: TokenUsage = {
  inputTokens: 0,
  outputTokens: 0,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  free: true,
};
