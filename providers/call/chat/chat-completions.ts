/** OpenAI's Chat Completions as everybody speaks it, on users' own keys only. What one speaker alone does comes in as its dialect. */
import OpenAI from 'openai';
import { z } from 'zod';
import type { CompletionRequest } from '../../../shared/domain/completion.ts';
import type { FinishReasons } from '../answer.ts';
import { createKeyedFetch, createProviderAgent, DUMMY_KEY } from '../keyed-fetch.ts';
import { makeCall, SDK_TIMEOUT_MS } from '../make-call.ts';
import type { ProviderAdapter } from '../provider.ts';
import { type ErrorRow, type ProviderError, refuseCredential } from '../verdict.ts';
import { chatReader, type ReadUsage } from './from-wire.ts';
import type { ChatBody } from './to-wire.ts';

/** An error with the status that such an error has, for one that comes inside a 200. */
export type ChatError = ProviderError & { status: number };

export type ChatDialect = {
  toBody: (request: CompletionRequest) => ChatBody;
  readUsage: ReadUsage;
  /** Beside those that all have. */
  finishReasons: FinishReasons;
  /** Null if a body is no error in the provider's own form. */
  readError: (body: unknown) => ChatError | null;
  errors: readonly ErrorRow[];
};

/** OpenAI's own errors have a type or a code, if only null. A number alone is a status, by which somebody on the way speaks. */
const errorForm = z.object({
  error: z
    .object({
      message: z.string().nullable(),
      code: z.union([z.string(), z.number()]).nullish(),
      type: z.string().nullish(),
    })
    .refine(({ code, type }) => type !== undefined || (code !== undefined && typeof code !== 'number')),
});

/** An error in OpenAI's form; `statuses` are those of types. */
export const readChatError = (body: unknown, statuses: ReadonlyMap<string, number>): ChatError | null => {
  const said = errorForm.safeParse(body).data?.error;
  if (said === undefined) return null;
  const { message: text, code, type = null } = said;
  return {
    code: typeof code === 'string' ? code : null,
    type,
    text: text ?? '',
    status: (typeof code === 'number' ? code : statuses.get(type ?? '')) ?? 500,
  };
};

/** Reads the bodies of refusals, of which the SDK passes on what has OpenAI's form alone. */
const watchRefusals = (send: typeof fetch) => {
  let refusal: unknown = null;
  return {
    body: (): unknown => refusal,
    fetch: (async (input, init) => {
      const answer = await send(input, init);
      if (!answer.ok) {
        refusal = await answer
          .clone()
          .json()
          .catch(() => null);
      }
      return answer;
    }) satisfies typeof fetch,
  };
};

/** `baseUrl` is all of the URL before `/chat/completions`. */
export const createChatCompletionsAdapter = (baseUrl: string, dialect: ChatDialect): ProviderAdapter => {
  const dispatcher = createProviderAgent();
  const read = chatReader(dialect);
  return {
    complete: async (call) => {
      const { request, userKey: key, traceparent } = call;
      if (key === null) return refuseCredential('platform');
      let refusalBody: () => unknown = () => null;
      return makeCall(call, {
        credential: 'user',
        requestIdHeader: 'x-request-id',
        read,
        readError: () => dialect.readError(refusalBody()),
        readErrorInside: dialect.readError,
        errors: dialect.errors,
        send: async (exchange, signal) => {
          const watched = watchRefusals(
            createKeyedFetch({
              dispatcher,
              key,
              headersWith: (clear) => ({ authorization: `Bearer ${clear}` }),
              traceparent,
              exchange,
            }),
          );
          refusalBody = watched.body;
          // Everything that the SDK would otherwise look up in the environment is said here.
          const client = new OpenAI({
            apiKey: DUMMY_KEY,
            adminAPIKey: null,
            organization: null,
            project: null,
            webhookSecret: null,
            baseURL: baseUrl,
            logLevel: 'off',
            maxRetries: 0,
            timeout: SDK_TIMEOUT_MS,
            fetch: watched.fetch,
          });
          return client.chat.completions.create(dialect.toBody(request), { signal });
        },
      });
    },
    close: () => dispatcher.destroy(),
  };
};
