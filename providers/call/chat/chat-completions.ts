/** OpenAI's Chat Completions as everybody speaks it, on users' own keys only. What one speaker alone does comes in as its dialect. */
import OpenAI from 'openai';
import { z } from 'zod';
import type { CompletionRequest } from '../../../shared/domain/completion.ts';
import type { ForwardedHeaders } from '../../../shared/domain/formats.ts';
import type { Outcome } from '../../../shared/domain/outcome.ts';
import type { ForeignFormat, StreamedUsage } from '../../manifest.ts';
import type { FinishReasons } from '../answer.ts';
import { secretsIn } from '../body-secrets.ts';
import type { EventReader, EventReading } from '../events/read-events.ts';
import { createKeyedFetch, createProviderAgent, DUMMY_KEY } from '../keyed-fetch.ts';
import { AS_IT_CAME, type Dialect, makeCall, SDK_TIMEOUT_MS } from '../make-call.ts';
import type { BoundedCall, ProviderAdapter } from '../provider.ts';
import { type ErrorRow, type ProviderError, refuseCall } from '../verdict.ts';
import { askForUsage } from './ask-for-usage.ts';
import { chatEvents } from './chat-events.ts';
import { chatReader, type ReadUsage, readChatUsage } from './from-wire.ts';
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
  streamedUsage: StreamedUsage;
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

/** How a body of a format is sent as it came: the path of the call, and what is read of its answer. */
export type PassedFormat = {
  path: string;
  read: Dialect['read'];
  /** For a body that asks for a stream: what is sent, and who reads the events of its answer; null if it has no streams. */
  streamed: ((body: Buffer) => { body: Buffer; reader: EventReader }) | null;
};
type Sent = Pick<PassedFormat, 'path' | 'read'> &
  Pick<Dialect, 'secrets'> & { body: unknown; headers: ForwardedHeaders; events: EventReading | null };
type PassedFormats = Readonly<Partial<Record<ForeignFormat, PassedFormat>>>;

const anAnswer = z.object({ choices: z.array(z.unknown()).min(1) });

/** Chat Completions as they came: what was used is read, and nothing else. */
const passedChat = (dialect: ChatDialect): PassedFormat => ({
  path: '/chat/completions',
  read: (answer) => ({
    result: anAnswer.safeParse(answer).success ? AS_IT_CAME : null,
    usage: readChatUsage(dialect, answer),
  }),
  streamed: (body) => {
    const asking = dialect.streamedUsage === 'if_asked' ? askForUsage(body) : { body, added: false };
    const isError = (said: unknown): boolean => dialect.readError(said) !== null;
    return { body: asking.body, reader: chatEvents({ hidesUsage: asking.added, isError }) };
  },
});

/** `baseUrl` is all of the URL before `/chat/completions`; `others`: what this speaker takes besides. */
export const createChatCompletionsAdapter = (
  baseUrl: string,
  dialect: ChatDialect,
  others: PassedFormats = {},
): ProviderAdapter => {
  const dispatcher = createProviderAgent();
  const read = chatReader(dialect);
  const passed: PassedFormats = { 'openai.chat': passedChat(dialect), ...others };

  const send = (
    call: BoundedCall,
    { path, read: readAnswer, body, headers, secrets, events }: Sent,
  ): Promise<Outcome> | Outcome => {
    const { userKey: key, traceparent } = call;
    if (key === null) return refuseCall('platform');
    let refusalBody: () => unknown = () => null;
    return makeCall(call, {
      credential: 'user',
      requestIdHeader: 'x-request-id',
      read: readAnswer,
      readError: () => dialect.readError(refusalBody()),
      readErrorInside: dialect.readError,
      errors: dialect.errors,
      secrets,
      send: async (exchange, signal) => {
        const watched = watchRefusals(
          createKeyedFetch({
            dispatcher,
            key,
            headersWith: (clear) => ({ ...headers, authorization: `Bearer ${clear}` }),
            traceparent,
            exchange,
            events,
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
        return client.post(path, { body, signal });
      },
    });
  };

  return {
    complete: async (call) =>
      send(call, {
        path: '/chat/completions',
        read,
        body: dialect.toBody(call.request),
        headers: {},
        secrets: () => [],
        events: null,
      }),
    pass: async (call) => {
      const { format, body, headers } = call.request;
      const known = passed[format];
      if (known === undefined) return refuseCall('user');
      const { path, read: readPassed } = known;
      const common = { path, read: readPassed, headers, secrets: () => secretsIn(body) };
      if (call.events === null || known.streamed === null) return send(call, { ...common, body, events: null });
      const { body: sent, reader } = known.streamed(body);
      return send(call, { ...common, body: sent, events: { reader, sink: call.events } });
    },
    close: () => dispatcher.destroy(),
  };
};
