/** Embeddings as everybody speaks them, as far as they are passed on. https://developers.openai.com/api/reference/resources/embeddings */
import { z } from 'zod';
import { AS_IT_CAME } from '../make-call.ts';
import { reportedUsage, tokenCount } from '../reported-usage.ts';
import type { PassedFormat } from './chat-completions.ts';

/** Of many vectors of thousands of numbers the first tells what they are. */
const answerForm = z.object({
  data: z.tuple([z.object({ embedding: z.union([z.string(), z.array(z.unknown())]) })], z.unknown()),
});

const usageForm = z.object({ usage: z.object({ prompt_tokens: tokenCount }) });

export const EMBEDDINGS: PassedFormat = {
  path: '/embeddings',
  streamed: null,
  read: (answer) => {
    const reported = usageForm.safeParse(answer).data?.usage;
    return {
      result: answerForm.safeParse(answer).success ? AS_IT_CAME : null,
      usage: reported
        ? reportedUsage({
            // No text is without tokens: a zero is no fact.
            inputTokens: reported.prompt_tokens || null,
            outputTokens: 0,
            cachedInputTokens: 0,
            cacheWriteTokens: 0,
            hourCacheWriteTokens: 0,
            webSearches: 0,
            listed: true,
          })
        : null,
    };
  },
};
