/** From the neutral result of a job to OpenAI's `chat.completion`. https://developers.openai.com/api/reference/resources/chat */
import type {
  ChatCompletion,
  ChatCompletionMessage,
  ChatCompletionTokenLogprob,
} from 'openai/resources/chat/completions';
import { wordFor } from '../../../../providers/call/answer.ts';
import { FINISH_REASONS } from '../../../../providers/call/chat/finish-reasons.ts';
import { callOf, saidOf } from '../../../../providers/call/chat/to-wire.ts';
import type { Choice, CompletionResult } from '../../../../shared/domain/conversation/result.ts';
import { deliveredUsage, type JobView } from '../../../../shared/domain/jobs/job.ts';

type Finish = ChatCompletion.Choice['finish_reason'];

/** What Chat Completions has no word for: a turn that goes on was cut off there, and others ended. */
const finishOf = (choice: Choice): Finish =>
  wordFor(choice, FINISH_REASONS) ?? (choice.finish_reason === 'pause' ? 'length' : 'stop');

type Odds = NonNullable<NonNullable<Choice['logprobs']>['content']>;

const oddsOf = (tokens: Odds | null | undefined): ChatCompletionTokenLogprob[] | null =>
  tokens?.map(({ token, logprob, bytes = null, top_logprobs }) => ({
    token,
    logprob,
    bytes,
    top_logprobs: (top_logprobs ?? []).map((other) => ({ ...other, bytes: other.bytes ?? null })),
  })) ?? null;

/** Beyond OpenAI's members: what the next request must bring back, which its SDK hands on. */
type Message = ChatCompletionMessage & Pick<Choice, 'reasoning_details' | 'parts'>;

const messageOf = (choice: Choice): Message => {
  const { refusal = null, tool_calls, annotations, reasoning_details, parts } = choice;
  const said = saidOf(choice);
  return {
    role: 'assistant',
    content: typeof said === 'string' ? said : null,
    refusal,
    ...(tool_calls && { tool_calls: tool_calls.map(callOf) }),
    // A cast because they are given on as their provider gave them.
    ...(annotations && { annotations: annotations as object[] as ChatCompletionMessage.Annotation[] }),
    ...(reasoning_details && { reasoning_details }),
    ...(parts && { parts }),
  };
};

const choiceOf = (choice: Choice, index: number): ChatCompletion.Choice => {
  const { logprobs } = choice;
  return {
    index,
    message: messageOf(choice),
    logprobs: logprobs ? { content: oddsOf(logprobs.content), refusal: oddsOf(logprobs.refusal) } : null,
    finish_reason: finishOf(choice),
  };
};

/** Left out if a figure is unknown: OpenAI's form has no null there, and a 0 would be wrong. */
const usageOf = ({ record }: JobView): Pick<ChatCompletion, 'usage'> => {
  const { input_tokens = null, output_tokens = null, cached_input_tokens = null } = deliveredUsage(record) ?? {};
  if (input_tokens === null || output_tokens === null) return {};
  return {
    usage: {
      prompt_tokens: input_tokens,
      completion_tokens: output_tokens,
      total_tokens: input_tokens + output_tokens,
      ...(cached_input_tokens !== null && { prompt_tokens_details: { cached_tokens: cached_input_tokens } }),
    },
  };
};

export const chatCompletion = (view: JobView, result: CompletionResult): ChatCompletion => {
  const { choices = [], ...first } = result;
  return {
    id: view.id.replace(/^job_/, 'chatcmpl-'),
    object: 'chat.completion',
    created: Math.floor(Number(view.record.created) / 1_000),
    model: view.record.model ?? '',
    choices: [first, ...choices].map(choiceOf),
    ...usageOf(view),
  };
};

/** As JSON. */
export const toChatCompletion = (view: JobView, result: CompletionResult): string =>
  JSON.stringify(chatCompletion(view, result));
