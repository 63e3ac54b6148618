/** Converse as bedrock-runtime speaks it. Signatures are looked at, not verified. */
import { z } from 'zod';
import { type Demands, Refusal, type Wire } from '../stand-in/wire.ts';

const blocks = z.array(z.looseObject({ text: z.string() }).transform(({ text }) => text)).min(1);
const requestForm = z.looseObject({
  messages: z.array(z.looseObject({ role: z.enum(['user', 'assistant']), content: blocks })).min(1),
  system: blocks.optional(),
  inferenceConfig: z
    .looseObject({
      maxTokens: z.int().min(1).optional(),
      temperature: z.number().optional(),
      stopSequences: z.array(z.string()).optional(),
    })
    .optional(),
});

const STOP_REASONS = {
  stop: 'end_turn',
  stop_sequence: 'stop_sequence',
  length: 'max_tokens',
  content_filter: 'content_filtered',
  other: 'tool_use',
} as const;

const ERROR_NAMES: Readonly<Record<number, string>> = {
  400: 'ValidationException',
  401: 'NotAuthorized',
  403: 'AccessDeniedException',
  404: 'ResourceNotFoundException',
  408: 'ModelTimeoutException',
  424: 'ModelErrorException',
  429: 'ThrottlingException',
  500: 'InternalServerException',
  503: 'ServiceUnavailableException',
};

const reply = (status: number, id: string, body: Record<string, unknown>) => ({
  status,
  headers: { 'x-amzn-requestid': id },
  body,
});

const error = (status: number, id: string, name: string, message: string) => {
  const { headers, ...rest } = reply(status, id, { message });
  const type = `${name}:http://internal.amazon.com/coral/com.amazon.bedrock/`;
  return { ...rest, headers: { ...headers, 'x-amzn-errortype': type } };
};

const ACCESS_KEY =
  /^AWS4-HMAC-SHA256 Credential=([^/,\s]+)\/\d{8}\/[\w-]+\/bedrock\/aws4_request, SignedHeaders=\S+, Signature=[0-9a-f]{64}$/;
const BEARER = /^Bearer (\S+)$/;

const demands: Demands = {
  ownModels: /^arn:aws[\w-]*:bedrock:/,
  limits: [],
  noSuchModel: () => new Refusal(400, 'The provided model identifier is invalid.'),
  temperature: (value, [min, max]) =>
    `1 validation error detected: Value '${value}' at 'inferenceConfig.temperature' failed to satisfy constraint: Member must have value ${value < min ? `greater than or equal to ${min}` : `less than or equal to ${max}`}`,
  maxTokens: (value, max) => `The maximum tokens you requested (${value}) exceeds the model limit of ${max}.`,
};

export const bedrockWire: Wire = {
  provider: 'bedrock',
  path: /^\/model\/(?<model>[^/]+)\/converse$/,
  demands,
  keyOf: ({ authorization = '' }) => ACCESS_KEY.exec(authorization)?.[1] ?? BEARER.exec(authorization)?.[1] ?? '',

  readAsk: (body, _headers, model) => {
    const request = requestForm.safeParse(body).data;
    if (request === undefined) throw new Refusal(400, 'The request needs messages of text from user and assistant.');
    const { messages, system, inferenceConfig } = request;
    if (messages[0]?.role !== 'user') {
      throw new Refusal(
        400,
        'A conversation must start with a user message. Try again with a conversation that starts with a user message.',
      );
    }
    if (messages.some(({ role }, at) => role === messages[at - 1]?.role)) {
      throw new Refusal(400, 'A conversation must alternate between user and assistant roles.');
    }
    return {
      model,
      texts: [...(system ?? []), ...messages.flatMap(({ content }) => content)],
      prompt: messages.findLast(({ role }) => role === 'user')?.content.join('\n') ?? '',
      maxTokens: inferenceConfig?.maxTokens ?? null,
      temperature: inferenceConfig?.temperature ?? null,
      stop: inferenceConfig?.stopSequences ?? [],
    };
  },

  answer: ({ id, text, finish, tokens }) =>
    reply(200, id, {
      metrics: { latencyMs: 1 },
      output: { message: { role: 'assistant', content: [{ text }] } },
      stopReason: STOP_REASONS[finish],
      usage: {
        inputTokens: tokens.input,
        outputTokens: tokens.output,
        totalTokens: tokens.input + tokens.cached + tokens.cacheWritten + tokens.output,
        cacheReadInputTokens: tokens.cached,
        cacheWriteInputTokens: tokens.cacheWritten,
      },
    }),

  error: (trouble, id) => {
    if (trouble.kind === 'bad_key') {
      return error(403, id, 'UnrecognizedClientException', 'The security token included in the request is invalid.');
    }
    if (trouble.kind === 'quota') {
      return error(
        400,
        id,
        'ServiceQuotaExceededException',
        'Your request exceeds the service quota for your account.',
      );
    }
    const { status, message } = trouble;
    const name = ERROR_NAMES[status] ?? (status < 500 ? 'ValidationException' : 'InternalServerException');
    return error(status, id, name, message);
  },
};
