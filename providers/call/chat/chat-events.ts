/** Chunks of a streamed Chat Completion: https://developers.openai.com/api/reference/resources/chat/subresources/completions/streaming-events */
import { z } from 'zod';
import { type AnswerEvent, DONE, type EventKind, type EventReader } from '../events/read-events.ts';

const choiceForm = z.looseObject({
  index: z.number().nullish(),
  delta: z.record(z.string(), z.unknown()).nullish(),
  finish_reason: z.string().nullish(),
});
const chunkForm = z.looseObject({
  choices: z.array(choiceForm).nullish(),
  usage: z.unknown().optional(),
  service_tier: z.unknown().optional(),
});
type Chunk = z.infer<typeof chunkForm>;

/** The second is why Groq stopped a stream early: `XGroq` of its own SDK, groq/types/chat/chat_completion_chunk.py */
const errorForm = z.union([
  z.object({ error: z.unknown().refine((error) => error != null) }),
  z.object({ x_groq: z.object({ error: z.string() }) }),
]);

const isEmpty = (value: unknown): boolean =>
  value == null || value === '' || (Array.isArray(value) && value.length === 0);

const saysNothing = ({ delta, finish_reason }: z.infer<typeof choiceForm>): boolean =>
  isEmpty(finish_reason) && Object.entries(delta ?? {}).every(([name, value]) => name === 'role' || isEmpty(value));

const typesOf = (annotations: unknown): { type: unknown }[] =>
  isEmpty(annotations)
    ? []
    : [annotations].flat().map((each) => ({
        type: typeof each === 'object' && each !== null && 'type' in each ? each.type : null,
      }));

/** Some speakers put an error beside the choices that it ends, which make an answer no more. */
const withoutChoices = (data: unknown): unknown => {
  const error = z.record(z.string(), z.unknown()).safeParse(data).data;
  return error ? { ...error, choices: undefined } : data;
};

type Needs = {
  /** Whether the chunk that has nothing but usage was asked for here, and not by the client. */
  hidesUsage: boolean;
  /** Whether a body is an error in the provider's own form. */
  isError: (body: unknown) => boolean;
};

/** Ends with `[DONE]`, or with the stream if each choice had its finish reason before. */
export const chatEvents = ({ hidesUsage, isError }: Needs): EventReader => {
  const choices = new Map<number, { finish_reason: string | null; annotations: { type: unknown }[] }>();
  let usage: unknown = null;
  let serviceTier: unknown = null;
  let failure: unknown = null;
  let isDone = false;

  const note = ({ choices: told, usage: used, service_tier }: Chunk): void => {
    usage = used ?? usage;
    serviceTier = service_tier ?? serviceTier;
    for (const { index, delta, finish_reason } of told ?? []) {
      const choice = choices.get(index ?? 0) ?? { finish_reason: null, annotations: [] };
      choices.set(index ?? 0, choice);
      choice.finish_reason = finish_reason || choice.finish_reason;
      choice.annotations.push(...typesOf(delta?.annotations));
    }
  };
  const kindOf = ({ choices: told, usage: used }: Chunk): EventKind => {
    if (hidesUsage && told?.length === 0 && used != null) return 'hidden';
    return (told ?? []).every(saysNothing) ? 'prelude' : 'content';
  };

  return {
    read: ({ name, data }: AnswerEvent) => {
      if (data === DONE) {
        isDone = true;
        return 'last';
      }
      if (name === 'error' || errorForm.safeParse(data).success || isError(data)) {
        failure = withoutChoices(data);
        return 'failure';
      }
      const chunk = chunkForm.safeParse(data).data;
      if (chunk === undefined) return 'content';
      note(chunk);
      return kindOf(chunk);
    },
    whole: () => {
      if (failure !== null) return failure;
      const told = [...choices];
      const isFinished = told.length > 0 && told.every(([, { finish_reason }]) => finish_reason !== null);
      if (!isDone && !isFinished) return null;
      return {
        choices: told.map(([index, { finish_reason, annotations }]) => ({
          index,
          finish_reason,
          message: { role: 'assistant', annotations },
        })),
        usage,
        service_tier: serviceTier,
      };
    },
  };
};
