/** A whole answer as the chunks of a stream of Chat Completions. */
import type { ChatCompletionChunk, ChatCompletionMessage } from 'openai/resources/chat/completions';
import { z } from 'zod';
import type { CompletionResult } from '../../../../shared/domain/conversation/result.ts';
import type { JobView } from '../../../../shared/domain/jobs/job.ts';
import { chatCompletion } from './to-chat.ts';

const line = (data: unknown): string => `data: ${JSON.stringify(data)}\n\n`;

/** `withUsage`: as `stream_options.include_usage` asks. */
export const toChunks = (view: JobView, result: CompletionResult, { withUsage }: { withUsage: boolean }): string => {
  const { usage, choices, ...said } = chatCompletion(view, result);
  const chunk = (more: Pick<ChatCompletionChunk, 'choices' | 'usage'>): ChatCompletionChunk => ({
    ...said,
    object: 'chat.completion.chunk',
    ...more,
  });
  const deltaOf = ({ tool_calls, ...message }: ChatCompletionMessage): ChatCompletionChunk.Choice.Delta => {
    const numbered = tool_calls?.map((call, index) => ({ index, ...call }));
    // A cast because what a message may have beside its text, a delta has without a name.
    return { ...message, ...(numbered && { tool_calls: numbered }) } as ChatCompletionChunk.Choice.Delta;
  };
  const texts = choices.map(({ index, message, logprobs }) =>
    chunk({ choices: [{ index, delta: deltaOf(message), logprobs, finish_reason: null }] }),
  );
  const ends = choices.map(({ index, finish_reason }) => chunk({ choices: [{ index, delta: {}, finish_reason }] }));
  const used = withUsage && usage ? [chunk({ choices: [], usage })] : [];
  return `${[...texts, ...ends, ...used].map(line).join('')}data: [DONE]\n\n`;
};

const usageForm = z.object({ stream_options: z.object({ include_usage: z.literal(true) }) });
/** Whether a body asks for a chunk of usage. */
export const asksForUsage = (body: unknown): boolean => usageForm.safeParse(body).success;
