/** What a call may use, before it is made: an upper bound for ordinary text, and cheap. A tokenizer would stop the process for seconds on hostile text. */
import { type CompletionRequest, DEFAULT_MAX_TOKENS, messageTexts } from './completion.ts';

const BYTES_A_TOKEN = 3;
/** What a provider puts around each message. */
const TOKENS_A_MESSAGE = 4;

export const estimateUsage = ({ messages, max_tokens }: CompletionRequest) => {
  let bytes = 0;
  for (const { content } of messages) for (const text of messageTexts(content)) bytes += Buffer.byteLength(text);
  return {
    inputTokens: Math.ceil(bytes / BYTES_A_TOKEN) + TOKENS_A_MESSAGE * messages.length,
    outputTokens: max_tokens ?? DEFAULT_MAX_TOKENS,
  };
};
