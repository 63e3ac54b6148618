/** AWS Bedrock's Converse, on the platform's own account only. */
import {
  BedrockRuntimeClient,
  type BedrockRuntimeClientConfig,
  BedrockRuntimeServiceException,
  ConverseCommand,
  type ConverseCommandInput,
} from '@aws-sdk/client-bedrock-runtime';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { z } from 'zod';
import { type CompletionRequest, type FinishReason, messageTexts } from '../../shared/completion.ts';
import type { Secret } from '../../shared/crypto/secret.ts';
import type { Traceparent } from '../../shared/tracing/traceparent.ts';
import { type Exchange, overNetwork } from './exchange.ts';
import { type Dialect, makeCall } from './make-call.ts';
import type { ProviderAdapter } from './provider.ts';
import { tokenCount } from './token-count.ts';
import { refuseCredential, type Verdict } from './verdict.ts';

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

/** Where the name says more than the status (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html, CommonErrors). */
const VERDICT_BY_ERROR: ReadonlyMap<string, Verdict> = new Map([
  ['ThrottlingException', 'rate_limited'],
  // A 429, but the model is still being loaded: no reason to hold back the account's other calls.
  ['ModelNotReadyException', 'unavailable'],
  ['ModelErrorException', 'unavailable'],
  ['ModelTimeoutException', 'timed_out'],
  ['ServiceQuotaExceededException', 'quota_exhausted'],
  ['ExpiredTokenException', 'credential_refused'],
  ['IncompleteSignatureException', 'credential_refused'],
  ['InvalidSignatureException', 'credential_refused'],
  ['UnrecognizedClientException', 'credential_refused'],
  // Thrown by the SDK itself, before anything is sent.
  ['CredentialsProviderError', 'credential_unavailable'],
  ['TokenProviderError', 'credential_unavailable'],
]);

const answerForm = z.object({
  output: z.object({ message: z.object({ content: z.array(z.looseObject({ text: z.string().optional() })) }) }),
  stopReason: z.string().nullish(),
});

const usageForm = z.object({
  usage: z.object({
    inputTokens: tokenCount,
    outputTokens: tokenCount,
    cacheReadInputTokens: tokenCount.nullish(),
    cacheWriteInputTokens: tokenCount.nullish(),
  }),
});

/** Converse wants roles to alternate: messages of one role in a row become one with several blocks. */
const toMessages = (messages: CompletionRequest['messages']): ConverseCommandInput['messages'] => {
  const turns: { role: 'user' | 'assistant'; content: { text: string }[] }[] = [];
  for (const { role, content } of messages) {
    if (role === 'system') continue;
    const blocks = messageTexts(content).map((text) => ({ text }));
    const last = turns.at(-1);
    if (last?.role === role) last.content.push(...blocks);
    else turns.push({ role, content: blocks });
  }
  return turns;
};

const toInput = (request: CompletionRequest): ConverseCommandInput => {
  const { model, messages, max_tokens, temperature, top_p, stop } = request;
  const system = messages.filter(({ role }) => role === 'system').flatMap(({ content }) => messageTexts(content));
  return {
    modelId: model,
    messages: toMessages(messages),
    ...(system.length > 0 && { system: system.map((text) => ({ text })) }),
    inferenceConfig: { maxTokens: max_tokens, temperature, topP: top_p, stopSequences: stop },
  };
};

const read: Dialect['read'] = (answer) => {
  const reported = usageForm.safeParse(answer).data?.usage;
  const cachedInputTokens = reported?.cacheReadInputTokens ?? 0;
  const cacheWriteTokens = reported?.cacheWriteInputTokens ?? 0;
  const usage = reported
    ? {
        inputTokens: reported.inputTokens + cacheWriteTokens + cachedInputTokens,
        outputTokens: reported.outputTokens,
        cachedInputTokens,
        cacheWriteTokens,
      }
    : null;
  const parsed = answerForm.safeParse(answer).data;
  if (parsed === undefined) return { result: null, usage };
  return {
    result: {
      role: 'assistant',
      content: parsed.output.message.content.map(({ text }) => text ?? '').join(''),
      finish_reason: FINISH_REASONS.get(parsed.stopReason ?? '') ?? 'other',
    },
    usage,
  };
};

const explain: Dialect['explain'] = (error) => {
  if (!(error instanceof Error)) return { verdict: null, message: null };
  return {
    verdict: VERDICT_BY_ERROR.get(error.name) ?? null,
    // The message of any other error is the SDK's own and may quote the answer's body.
    message:
      error instanceof BedrockRuntimeServiceException && typeof error.message === 'string' ? error.message : null,
  };
};

/** The scheme is named in every case: a bearer token in the environment would otherwise win over the credentials given here. */
const authConfig = (auth: BedrockAuth): BedrockRuntimeClientConfig => {
  switch (auth.kind) {
    case 'default_chain':
      return { authSchemePreference: ['sigv4'] };
    case 'access_key':
      return {
        authSchemePreference: ['sigv4'],
        credentials: { accessKeyId: auth.accessKeyId, secretAccessKey: auth.secretAccessKey.reveal() },
      };
    case 'api_key':
      return { authSchemePreference: ['httpBearerAuth'], token: { token: auth.token.reveal() } };
  }
};

const responseForm = z.object({ statusCode: z.number(), headers: z.record(z.string(), z.string()) });

/** The SDK's own object, because it is written to. */
const requestForm = z.object({ headers: z.custom<Record<string, string>>((value) => typeof value === 'object') });

/** Has the exchange written from the raw response, next to the socket and before the SDK makes sense of it. */
const watch = (command: ConverseCommand, exchange: Exchange): void => {
  command.middlewareStack.add(
    (next) => async (args) => {
      const output = await overNetwork(exchange, () => next(args));
      const { statusCode, headers } = responseForm.parse(output.response);
      exchange.response = { status: statusCode, header: (name) => headers[name] ?? null };
      return output;
    },
    { step: 'deserialize', priority: 'low', name: 'watchExchange' },
  );
};

/** Before the request is signed, so that the header is part of what is signed. */
const addTraceparent = (command: ConverseCommand, traceparent: Traceparent): void => {
  command.middlewareStack.add(
    (next) => (args) => {
      requestForm.parse(args.request).headers.traceparent = traceparent;
      return next(args);
    },
    { step: 'build', name: 'addTraceparent' },
  );
};

type BedrockNeeds = {
  /** Null is AWS's own endpoint of the region. */
  baseUrl: string | null;
  region: string;
  auth: BedrockAuth;
};

export const createBedrockAdapter = ({ baseUrl, region, auth }: BedrockNeeds): ProviderAdapter => {
  const client = new BedrockRuntimeClient({
    region,
    ...(baseUrl !== null && { endpoint: baseUrl }),
    ...authConfig(auth),
    maxAttempts: 1,
    // Not the SDK's default of HTTP/2, where a cancelled call would not close its socket. Each call is bounded by its own limit.
    requestHandler: new NodeHttpHandler({
      connectionTimeout: 10_000,
      requestTimeout: 0,
      socketTimeout: 0,
      httpAgent: { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY },
      // The last said aloud: NODE_TLS_REJECT_UNAUTHORIZED=0 would turn the default off.
      httpsAgent: { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY, rejectUnauthorized: true },
    }),
  });
  return {
    complete: async (call) => {
      if (call.userKey !== null) return refuseCredential('user');
      return makeCall(call, {
        credential: 'platform',
        requestIdHeader: 'x-amzn-requestid',
        read,
        explain,
        send: async (exchange, abortSignal) => {
          const command = new ConverseCommand(toInput(call.request));
          watch(command, exchange);
          if (call.traceparent) addTraceparent(command, call.traceparent);
          return client.send(command, { abortSignal });
        },
      });
    },
    close: async () => client.destroy(),
  };
};
