/** What a call may use, before it is made. Cheap: a tokenizer would stop the process for seconds on hostile text. */
import { type CompletionRequest, DEFAULT_MAX_TOKENS, messageTexts } from '../completion.ts';
import { maxTokens } from './max-tokens.ts';

const BYTES_A_TOKEN = 3;
/** What a provider usually puts around each message. */
const TOKENS_A_MESSAGE = 4;
/** What none goes beyond: a chat template's marks around each message and each of its texts, and the instructions that some models bring along. */
const MAX_TOKENS_A_MARK = 8;
const MAX_TOKENS_A_REQUEST = 256;

export type UsageEstimate = {
  inputTokens: number;
  outputTokens: number;
  /** Whether the input may be written to a cache for an hour, which costs more. */
  mayCacheForAnHour?: true;
};

/**
 * `likely` is right for ordinary text and informs. `max` protects money: base64, rare scripts and emoji
 * come close to it.
 */
export const estimateUsage = ({
  messages,
  max_tokens: outputTokens = DEFAULT_MAX_TOKENS,
}: CompletionRequest): { likely: UsageEstimate; max: UsageEstimate } => {
  let bytes = 0;
  let textTokens = 0;
  let marks = messages.length;
  for (const { content } of messages) {
    for (const text of messageTexts(content)) {
      bytes += Buffer.byteLength(text);
      textTokens += maxTokens(text);
      marks += 1;
    }
  }
  return {
    likely: { inputTokens: Math.ceil(bytes / BYTES_A_TOKEN) + TOKENS_A_MESSAGE * messages.length, outputTokens },
    max: { inputTokens: textTokens + MAX_TOKENS_A_MARK * marks + MAX_TOKENS_A_REQUEST, outputTokens },
  };
};
