/** AWS Bedrock's Converse, on the platform's own account only. */
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { Readable } from 'node:stream';
import {
  BedrockRuntimeClient,
  type BedrockRuntimeClientConfig,
  BedrockRuntimeServiceException,
  ConverseCommand,
  type ConverseCommandInput,
} from '@aws-sdk/client-bedrock-runtime';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { z } from 'zod';
import {
  type CompletionRequest,
  type FinishReason,
  messageTexts,
  type TokenUsage,
} from '../../shared/domain/completion.ts';
import { CredentialsUnavailable, createAwsCredentials } from '../../shared/keys/aws-credentials.ts';
import type { Secret } from '../../shared/keys/secret.ts';
import { answerBody, READ_AS_IT_IS } from '../call/answer-body.ts';
import { type Exchange, overNetwork, watchedAgent } from '../call/exchange.ts';
import { type Dialect, makeCall } from '../call/make-call.ts';
import { placeMessages } from '../call/place-messages.ts';
import type { ProviderAdapter } from '../call/provider.ts';
import { isListed, partCount, reportedUsage, sumOf, term, tokenCount } from '../call/reported-usage.ts';
import { refuseCall, verdictOfError } from '../call/verdict.ts';
import { BEDROCK_ERRORS } from './errors.ts';

/** `default_chain`: environment, profile files, container or instance, as AWS orders them. `api_key`: a Bedrock API key (`AWS_BEARER_TOKEN_BEDROCK`). */
export type BedrockAuth =
  | { kind: 'default_chain' }
  | { kind: 'access_key'; accessKeyId: string; secretAccessKey: Secret }
  | { kind: 'api_key'; token: Secret };

const FINISH_REASONS: ReadonlyMap<string, FinishReason> = new Map([
  ['end_turn', 'stop'],
  ['stop_sequence', 'stop'],
  ['max_tokens', 'length'],
  ['model_context_window_exceeded', 'length'],
  ['content_filtered', 'content_filter'],
  ['guardrail_intervened', 'content_filter'],
]);

/** The SDK's name for an error whose answer says none: not one of AWS's own; and the SDK's text for one that has none. */
const NAMELESS = 'Unknown';
const TEXTLESS = 'UnknownError';

const answerForm = z
  .object({
    output: z
      .object({ message: z.object({ content: z.array(z.looseObject({ text: z.string().optional() })) }) })
      .nullish(),
    stopReason: z.string().nullish(),
  })
  // Without its message when a filter or guardrail took all of it.
  .refine((answer) => answer.output ?? answer.stopReason);

const usageForm = z.object({
  usage: z.object({
    inputTokens: tokenCount,
    outputTokens: tokenCount,
    cacheReadInputTokens: partCount,
    cacheWriteInputTokens: partCount,
    cacheDetails: z
      .array(z.object({ ttl: z.string(), inputTokens: partCount }))
      .nullish()
      .catch([{ ttl: '1h', inputTokens: null }]),
  }),
  serviceTier: z.object({ type: term }).nullish().catch({ type: 'unknown' }),
  performanceConfig: z.object({ latency: term }).nullish().catch({ latency: 'unknown' }),
});

/** Converse wants roles to alternate: messages of one role in a row become one with several blocks. */
const alternating = (messages: CompletionRequest['messages']): ConverseCommandInput['messages'] => {
  const turns: { role: 'user' | 'assistant'; content: { text: string }[] }[] = [];
  for (const { role, content } of messages) {
    // An empty text is refused there, so an answer without one is left out.
    if (role === 'system' || content === '') continue;
    const blocks = messageTexts(content).map((text) => ({ text }));
    const last = turns.at(-1);
    if (last?.role === role) last.content.push(...blocks);
    else turns.push({ role, content: blocks });
  }
  return turns;
};

const toInput = (request: CompletionRequest): ConverseCommandInput => {
  const { model, messages, max_tokens, temperature, top_p, stop } = request;
  // Converse knows a system role between others, but no model takes it there: https://github.com/stdapi-ai/stdapi.ai/issues/49
  const { system, turns } = placeMessages(messages, false);
  return {
    modelId: model,
    messages: alternating(turns),
    ...(system.length > 0 && { system: system.map((text) => ({ text })) }),
    inferenceConfig: { maxTokens: max_tokens, temperature, topP: top_p, stopSequences: stop },
  };
};

const readUsage = (answer: unknown): TokenUsage | null => {
  const reported = usageForm.safeParse(answer).data;
  if (reported === undefined) return null;
  const { inputTokens, outputTokens, cacheReadInputTokens, cacheWriteInputTokens, cacheDetails } = reported.usage;
  const forAnHour = (cacheDetails ?? []).filter(({ ttl }) => ttl === '1h');
  const forAnotherTime = (cacheDetails ?? []).filter(({ ttl }) => ttl !== '1h' && ttl !== '5m');
  return reportedUsage({
    inputTokens: sumOf(inputTokens, cacheWriteInputTokens, cacheReadInputTokens),
    outputTokens,
    cachedInputTokens: cacheReadInputTokens,
    cacheWriteTokens: cacheWriteInputTokens,
    hourCacheWriteTokens: sumOf(0, ...forAnHour.map((written) => written.inputTokens)),
    webSearches: 0,
    listed:
      isListed(reported.serviceTier?.type, 'default') &&
      isListed(reported.performanceConfig?.latency, 'standard') &&
      forAnotherTime.every((written) => written.inputTokens === 0),
  });
};

const read: Dialect['read'] = (answer) => {
  const usage = readUsage(answer);
  const parsed = answerForm.safeParse(answer).data;
  if (parsed === undefined) return { result: null, usage };
  return {
    result: {
      role: 'assistant',
      content: (parsed.output?.message.content ?? []).map(({ text }) => text ?? '').join(''),
      finish_reason: FINISH_REASONS.get(parsed.stopReason ?? '') ?? 'other',
    },
    usage,
  };
};

const readError: Dialect['readError'] = (error) => {
  if (error instanceof BedrockRuntimeServiceException) {
    return error.name === NAMELESS
      ? null
      : { code: error.name, type: null, text: error.message === TEXTLESS ? '' : error.message };
  }
  // The message of any other error is the SDK's own and may quote the answer's body.
  return error instanceof CredentialsUnavailable ? { code: error.name, type: null, text: '' } : null;
};

type AwsCredentials = ReturnType<typeof createAwsCredentials>;

/** The scheme is named in every case: a bearer token in the environment would otherwise win over the credentials given here. */
const authConfig = (auth: BedrockAuth, chain: AwsCredentials): BedrockRuntimeClientConfig => {
  switch (auth.kind) {
    case 'default_chain':
      return { authSchemePreference: ['sigv4'], credentials: chain.find };
    case 'access_key':
      return {
        authSchemePreference: ['sigv4'],
        credentials: { accessKeyId: auth.accessKeyId, secretAccessKey: auth.secretAccessKey.reveal() },
      };
    case 'api_key':
      return { authSchemePreference: ['httpBearerAuth'], token: { token: auth.token.reveal() } };
  }
};

const responseForm = z.object({
  statusCode: z.number(),
  headers: z.record(z.string(), z.string()),
  body: z.instanceof(Readable),
});

/** The SDK's own object, because it is written to. */
const requestForm = z.object({ headers: z.custom<Record<string, string>>((value) => typeof value === 'object') });

/** Has the exchange written from the raw response, next to the socket and before the SDK makes sense of it. */
const watch = (command: ConverseCommand, exchange: Exchange): void => {
  command.middlewareStack.add(
    (next) => async (args) => {
      const output = await overNetwork(exchange, () => next(args));
      const { statusCode, headers, body } = responseForm.parse(output.response);
      exchange.response = { status: statusCode, header: (name) => headers[name] ?? null };
      const readable = answerBody(body, headers['content-encoding'] ?? null);
      return { ...output, response: Object.assign(output.response as object, { body: readable }) };
    },
    { step: 'deserialize', priority: 'low', name: 'watchExchange' },
  );
};

/** Before the request is signed, so that they are part of what is signed. */
const addHeaders = (command: ConverseCommand, headers: Record<string, string>): void => {
  command.middlewareStack.add(
    (next) => (args) => {
      Object.assign(requestForm.parse(args.request).headers, headers);
      return next(args);
    },
    { step: 'build', name: 'addHeaders' },
  );
};

type BedrockNeeds = {
  /** Null is AWS's own endpoint of the region. */
  baseUrl: string | null;
  region: string;
  auth: BedrockAuth;
};

export const createBedrockAdapter = ({ baseUrl, region, auth }: BedrockNeeds): ProviderAdapter => {
  // Not the SDK's default of HTTP/2, where a cancelled call would not close its socket. Each call is bounded by its own limit.
  const requestHandler = new NodeHttpHandler({
    connectionTimeout: 10_000,
    requestTimeout: 0,
    socketTimeout: 0,
    httpAgent: watchedAgent(new HttpAgent({ keepAlive: true })),
    // The last said aloud: NODE_TLS_REJECT_UNAUTHORIZED=0 would turn the default off.
    httpsAgent: watchedAgent(new HttpsAgent({ keepAlive: true, rejectUnauthorized: true })),
  });
  const chain = createAwsCredentials();
  // One for good: it learns how far its clock is from AWS's.
  const client = new BedrockRuntimeClient({
    region,
    ...(baseUrl !== null && { endpoint: baseUrl }),
    ...authConfig(auth, chain),
    maxAttempts: 1,
    requestHandler,
  });
  return {
    complete: async (call) => {
      if (call.userKey !== null) return refuseCall('user');
      return makeCall(call, {
        credential: 'platform',
        requestIdHeader: 'x-amzn-requestid',
        read,
        readError,
        // The SDK passes on what an answer of Converse has, and nothing else.
        readErrorInside: () => null,
        errors: BEDROCK_ERRORS,
        secrets: () => [],
        send: async (exchange, abortSignal) => {
          const command = new ConverseCommand(toInput(call.request));
          watch(command, exchange);
          addHeaders(command, { ...READ_AS_IT_IS, ...(call.traceparent && { traceparent: call.traceparent }) });
          try {
            return await client.send(command, { abortSignal });
          } catch (thrown) {
            const error = readError(thrown);
            if (error && verdictOfError(BEDROCK_ERRORS, error, null) === 'credential_unavailable') chain.renew();
            throw thrown;
          }
        },
      });
    },
    pass: async () => refuseCall('platform'),
    close: async () => client.destroy(),
  };
};
