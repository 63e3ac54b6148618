/** From an answer of Chat Completions to a neutral result and its usage. */
import { z } from 'zod';
import type { TokenUsage } from '../../../shared/domain/completion.ts';
import { annotations, type Choice, logprobs } from '../../../shared/domain/conversation/result.ts';
import type { ToolCall } from '../../../shared/domain/conversation/tools.ts';
import { type FinishReasons, finishOf } from '../answer.ts';
import type { Dialect } from '../make-call.ts';
import { partCounts, term, tokenCount } from '../reported-usage.ts';
import { FINISH_REASONS } from './finish-reasons.ts';

/** Mistral's reasoning models answer in parts, of which only texts are the answer: https://docs.mistral.ai/capabilities/reasoning/ */
const parts = z
  .array(z.looseObject({ type: z.string(), text: z.string().optional() }))
  .transform((all) => all.map(({ type, text }) => (type === 'text' ? (text ?? '') : '')).join(''));

/** Of a tool without arguments some speakers say nothing at all; of other types none is asked for. */
const call = z
  .object({
    id: z.string(),
    function: z.object({ name: z.string(), arguments: z.string().nullish() }),
    extra_content: z
      .object({ google: z.object({ thought_signature: z.string() }) })
      .nullish()
      .catch(null),
  })
  .transform(({ id, function: { name, arguments: text }, extra_content }): ToolCall => {
    const signature = extra_content?.google.thought_signature;
    return {
      id,
      type: 'function',
      function: { name, arguments: text || '{}' },
      ...(signature !== undefined && { signature }),
    };
  });

const message = z.object({
  // Left out by a filter that cut the answer off.
  content: z.union([z.string(), parts]).nullish(),
  refusal: z.string().nullish(),
  tool_calls: z.array(call).nullish().catch(null),
  annotations: annotations.nullish().catch([]),
});

const choiceForm = z
  .object({
    finish_reason: z.string().nullish(),
    message: message.nullish(),
    logprobs: logprobs.nullish().catch(null),
  })
  .refine((choice) => choice.message ?? choice.finish_reason);

const answerForm = z.object({
  error: z.null().optional(),
  choices: z.tuple([choiceForm], z.unknown()),
});

/** Whether the web was searched, for all that can be read. Nothing says how often. */
const searchesForm = z.object({
  choices: z.array(
    z.object({
      message: z
        .object({
          annotations: z
            .array(z.object({ type: z.string() }))
            .nullish()
            .transform((all) => all?.some(({ type }) => type === 'url_citation') ?? false)
            .catch(true),
        })
        .nullish(),
    }),
  ),
});
const searched = (answer: unknown): boolean =>
  searchesForm.safeParse(answer).data?.choices.some((choice) => choice.message?.annotations) ?? false;

const usageForm = z.object({
  usage: z.object({
    prompt_tokens: tokenCount,
    completion_tokens: tokenCount,
    total_tokens: tokenCount.optional(),
    prompt_tokens_details: partCounts,
    completion_tokens_details: partCounts,
  }),
  service_tier: term,
});
export type ReportedUsage = z.infer<typeof usageForm>;

/** `searched`: whether the web was searched, for all that can be read. */
export type ReadUsage = (reported: ReportedUsage, searched: boolean) => TokenUsage | null;

/** Leaves out what is null or empty. */
const given = <T extends object>(members: { [Name in keyof T]: T[Name] | null | undefined }): Partial<T> =>
  // A cast because what is left has its own type.
  Object.fromEntries(
    Object.entries(members).filter(([, value]) => value != null && !(Array.isArray(value) && value.length === 0)),
  ) as Partial<T>;

const choiceOf = (choice: z.infer<typeof choiceForm>, reasons: FinishReasons): Choice => {
  const said = choice.message;
  const content = said?.content || null;
  const refusal = said?.refusal || null;
  const refused = content === null && refusal !== null;
  return {
    role: 'assistant',
    content: content ?? refusal ?? '',
    ...given<Pick<Choice, 'tool_calls' | 'refusal' | 'annotations' | 'logprobs'>>({
      tool_calls: said?.tool_calls,
      refusal,
      annotations: said?.annotations,
      logprobs: choice.logprobs,
    }),
    ...(refused ? { finish_reason: 'content_filter' as const } : finishOf(choice.finish_reason, reasons)),
  };
};

/** What an answer used, whatever else is in it. */
export const readChatUsage = ({ readUsage }: { readUsage: ReadUsage }, answer: unknown): TokenUsage | null => {
  const reported = usageForm.safeParse(answer).data;
  return reported ? readUsage(reported, searched(answer)) : null;
};

export const chatReader = ({
  readUsage,
  finishReasons,
}: {
  readUsage: ReadUsage;
  finishReasons: FinishReasons;
}): Dialect['read'] => {
  const reasons: FinishReasons = new Map([...FINISH_REASONS, ...finishReasons]);
  return (answer) => {
    const usage = readChatUsage({ readUsage }, answer);
    const parsed = answerForm.safeParse(answer).data;
    if (parsed === undefined) return { result: null, usage };
    const [first, ...others] = parsed.choices;
    const choices = others.flatMap((other) => {
      const choice = choiceForm.safeParse(other).data;
      return choice ? [choiceOf(choice, reasons)] : [];
    });
    return { result: { ...choiceOf(first, reasons), ...(choices.length > 0 && { choices }) }, usage };
  };
};
