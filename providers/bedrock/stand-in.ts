/** Converse as bedrock-runtime speaks it. Signatures are looked at, not verified. */
import { z } from 'zod';
import { callsOf } from '../stand-in/chat-completions.ts';
import { type Demands, type Form, Refusal, type Wants, type Wire } from '../stand-in/wire.ts';

const block = z
  .looseObject({ text: z.string().optional() })
  .refine((value) => Object.keys(value).length === 1, 'is of one kind');
const blocks = z.array(block).min(1);
const toolSpec = z.looseObject({ name: z.string(), inputSchema: z.object({ json: z.looseObject({}) }) });
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
  toolConfig: z
    .object({
      tools: z.array(z.looseObject({ toolSpec: toolSpec.optional() })),
      toolChoice: z.looseObject({ tool: z.object({ name: z.string() }).optional() }).optional(),
    })
    .optional(),
  outputConfig: z
    .looseObject({
      textFormat: z
        .object({
          type: z.literal('json_schema'),
          structure: z.object({ jsonSchema: z.looseObject({ name: z.string().optional(), schema: z.string() }) }),
        })
        .optional(),
      effort: z.string().optional(),
    })
    .optional(),
  additionalModelRequestFields: z.looseObject({ thinking: z.looseObject({}).optional() }).optional(),
});
type Request = z.infer<typeof requestForm>;

const textsOf = (all: z.infer<typeof blocks>): string[] => all.flatMap(({ text }) => text ?? []);

const wantsOf = ({ messages, toolConfig, outputConfig, additionalModelRequestFields: more }: Request): Wants => {
  const tools = (toolConfig?.tools ?? []).flatMap(({ toolSpec: spec }): Form[] =>
    spec ? [{ name: spec.name, schema: spec.inputSchema.json }] : [],
  );
  const schema = outputConfig?.textFormat?.structure.jsonSchema;
  return {
    calls: callsOf(tools, {
      after: messages.at(-1)?.content.some((each) => 'toolResult' in each) ? 'results' : 'question',
      choice: toolConfig?.toolChoice?.tool?.name,
      alone: false,
    }),
    form: schema ? { name: schema.name ?? 'object', schema: JSON.parse(schema.schema) as unknown } : null,
    reasoning: outputConfig?.effort !== undefined || more?.thinking !== undefined,
    choices: 1,
    logprobs: false,
    media: messages.flatMap(({ content }) => content).filter((each) => 'image' in each || 'document' in each).length,
  };
};

const STOP_REASONS = {
  stop: 'end_turn',
  stop_sequence: 'stop_sequence',
  length: 'max_tokens',
  content_filter: 'content_filtered',
  tool_calls: 'tool_use',
  other: 'malformed_model_output',
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

/** Results of tools are no prompt. */
const isQuestion = ({ role, content }: Request['messages'][number]): boolean =>
  role === 'user' && content.some(({ text }) => text !== undefined);

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
      texts: [...textsOf(system ?? []), ...messages.flatMap(({ content }) => textsOf(content))],
      prompt: textsOf(messages.findLast(isQuestion)?.content ?? []).join('\n'),
      maxTokens: inferenceConfig?.maxTokens ?? null,
      temperature: inferenceConfig?.temperature ?? null,
      stop: inferenceConfig?.stopSequences ?? [],
      wants: wantsOf(request),
      stream: null,
    };
  },
  streaming: null,

  answer: ({ id, text, reasoning, calls, finish, tokens }) =>
    reply(200, id, {
      metrics: { latencyMs: 1 },
      output: {
        message: {
          role: 'assistant',
          content: [
            ...(reasoning ? [{ reasoningContent: { reasoningText: reasoning } }] : []),
            ...(text === '' && calls.length > 0 ? [] : [{ text }]),
            ...calls.map((call) => ({ toolUse: { toolUseId: call.id, name: call.name, input: call.arguments } })),
          ],
        },
      },
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
