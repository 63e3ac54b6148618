/** AWS Bedrock's Converse, on the platform's own account only. */
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { Readable } from 'node:stream';
import {
  BedrockRuntimeClient,
  type BedrockRuntimeClientConfig,
  BedrockRuntimeServiceException,
  ConverseCommand,
} from '@aws-sdk/client-bedrock-runtime';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { z } from 'zod';
import { CredentialsUnavailable, createAwsCredentials } from '../../shared/keys/aws-credentials.ts';
import type { Secret } from '../../shared/keys/secret.ts';
import { answerBody, READ_AS_IT_IS } from '../call/answer-body.ts';
import { type Exchange, overNetwork, watchedAgent } from '../call/exchange.ts';
import { type Dialect, makeCall } from '../call/make-call.ts';
import type { ProviderAdapter } from '../call/provider.ts';
import { refuseCall, verdictOfError } from '../call/verdict.ts';
import { BEDROCK_ERRORS } from './errors.ts';
import { read } from './from-wire.ts';
import { toInput } from './to-wire.ts';

/** `default_chain`: environment, profile files, container or instance, as AWS orders them. `api_key`: a Bedrock API key (`AWS_BEARER_TOKEN_BEDROCK`). */
export type BedrockAuth =
  | { kind: 'default_chain' }
  | { kind: 'access_key'; accessKeyId: string; secretAccessKey: Secret }
  | { kind: 'api_key'; token: Secret };

/** The SDK's name for an error whose answer says none: not one of AWS's own; and the SDK's text for one that has none. */
const NAMELESS = 'Unknown';
const TEXTLESS = 'UnknownError';

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
