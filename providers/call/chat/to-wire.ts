/** From a neutral request to one of Chat Completions. */
import type {
  ChatCompletionAssistantMessageParam,
  ChatCompletionContentPart,
  ChatCompletionContentPartText,
  ChatCompletionCreateParamsNonStreaming,
  ChatCompletionMessageFunctionToolCall,
  ChatCompletionMessageParam,
  ChatCompletionTool,
} from 'openai/resources/chat/completions';
import type { CompletionRequest } from '../../../shared/domain/completion.ts';
import { type Part, type TextPart, textsOf } from '../../../shared/domain/conversation/content.ts';
import type { AssistantMessage, Message } from '../../../shared/domain/conversation/messages.ts';
import type { Tool, ToolCall } from '../../../shared/domain/conversation/tools.ts';
import type { ServiceTier } from '../../takes.ts';
import { withoutEmptyAnswers } from '../place-messages.ts';

/** What each speaker names in its own way. */
export type ChatForm = {
  maxTokens: 'max_tokens' | 'max_completion_tokens';
  seed: 'seed' | 'random_seed';
  /** Who knows no developer has its instructions as the system's. */
  developer: 'developer' | 'system';
  serviceTiers: Partial<Record<ServiceTier, string>>;
  takesEmptyAnswers: boolean;
};

/** With what only some speakers know. */
export type ChatBody = ChatCompletionCreateParamsNonStreaming & { random_seed?: number };

/** A file needs a name there. */
const NAMELESS = 'document.pdf';

const breakpoint = ({ cache_control: mark }: Pick<TextPart, 'cache_control'>) =>
  mark && { prompt_cache_breakpoint: { mode: 'explicit' as const } };

const textPart = (part: TextPart): ChatCompletionContentPartText => ({
  type: 'text',
  text: part.text,
  ...breakpoint(part),
});

const contentPart = (part: Part): ChatCompletionContentPart => {
  if (part.type === 'text') return textPart(part);
  if (part.type === 'file') {
    const { file_data, filename = NAMELESS } = part.file;
    return { type: 'file', file: { file_data, filename }, ...breakpoint(part) };
  }
  const { url, detail } = part.image_url;
  return { type: 'image_url', image_url: { url, ...(detail && { detail }) }, ...breakpoint(part) };
};

/** `signature` as Google's endpoint has it: https://ai.google.dev/gemini-api/docs/thought-signatures */
export type SignedCall = ChatCompletionMessageFunctionToolCall & {
  extra_content?: { google: { thought_signature: string } };
};

export const callOf = ({ id, type, function: called, signature }: ToolCall): SignedCall => ({
  id,
  type,
  function: { name: called.name, arguments: called.arguments },
  ...(signature !== undefined && { extra_content: { google: { thought_signature: signature } } }),
});

/** A refusal was no content where it came from, though a result has it as both. */
export const saidOf = ({
  content,
  refusal,
  tool_calls,
}: AssistantMessage): ChatCompletionAssistantMessageParam['content'] => {
  if (typeof content !== 'string') return content?.map(textPart);
  return (content === '' && (tool_calls || refusal)) || content === refusal ? null : content;
};

const answerOf = (message: AssistantMessage): ChatCompletionAssistantMessageParam => {
  const { refusal, tool_calls } = message;
  return {
    role: 'assistant',
    content: saidOf(message) ?? null,
    ...(refusal !== undefined && { refusal }),
    ...(tool_calls && { tool_calls: tool_calls.map(callOf) }),
  };
};

const messageOf = (message: Message, { developer }: ChatForm): ChatCompletionMessageParam => {
  // A cast because these roles have texts alone: of others, images and files are refused at submission.
  const texts = (content: string | readonly Part[]) =>
    typeof content === 'string' ? content : (content as readonly TextPart[]).map(textPart);
  switch (message.role) {
    case 'system':
    case 'developer':
      return { role: message.role === 'system' ? 'system' : developer, content: texts(message.content) };
    case 'user': {
      const { content } = message;
      return { role: 'user', content: typeof content === 'string' ? content : content.map(contentPart) };
    }
    case 'assistant':
      return answerOf(message);
    case 'tool':
      return { role: 'tool', tool_call_id: message.tool_call_id, content: texts(message.content) };
  }
};

/** Mistral wants them; to others it says the same as nothing: https://docs.mistral.ai/api */
const NONE = { type: 'object', properties: {} };

const toolOf = ({ function: tool }: Tool): ChatCompletionTool => {
  const { name, description, parameters, strict } = tool;
  return {
    type: 'function',
    function: {
      name,
      ...(description !== undefined && { description }),
      parameters: parameters ?? NONE,
      ...(strict !== undefined && { strict }),
    },
  };
};

const formatOf = ({ response_format: format }: CompletionRequest) => {
  if (format?.type !== 'json_schema') return format && { response_format: format };
  const { name, schema, description, strict } = format.json_schema;
  const json_schema = {
    name,
    schema,
    ...(description !== undefined && { description }),
    ...(strict !== undefined && { strict }),
  };
  return { response_format: { type: format.type, json_schema } };
};

/** Fields that all speakers take under the same names, if they take them. */
const SAME = [
  'temperature',
  'top_p',
  'stop',
  'tool_choice',
  'parallel_tool_calls',
  'n',
  'logprobs',
  'top_logprobs',
  'logit_bias',
  'frequency_penalty',
  'presence_penalty',
  'verbosity',
  'user',
] as const satisfies readonly (keyof CompletionRequest & keyof ChatBody)[];

export const chatBody = (request: CompletionRequest, form: ChatForm): ChatBody => {
  const { model, messages, tools, max_tokens, seed, prediction, reasoning, service_tier } = request;
  const sent = form.takesEmptyAnswers ? messages : withoutEmptyAnswers(messages);
  return {
    model,
    messages: sent.map((message) => messageOf(message, form)),
    // A cast because their forms are the same, but that the wire knows no undefined.
    ...(Object.fromEntries(
      SAME.flatMap((name) => (request[name] === undefined ? [] : [[name, request[name]]])),
    ) as Partial<ChatBody>),
    ...(tools && { tools: tools.map(toolOf) }),
    ...formatOf(request),
    ...(prediction && { prediction: { type: 'content', content: textsOf(prediction.content).join('') } }),
    ...(reasoning?.effort !== undefined && { reasoning_effort: reasoning.effort }),
    // A cast because a speaker's own name of a tier is none of OpenAI's.
    ...(service_tier !== undefined && {
      service_tier: (form.serviceTiers[service_tier] ?? service_tier) as 'default',
    }),
    ...(seed !== undefined && { [form.seed]: seed }),
    ...(max_tokens !== undefined && { [form.maxTokens]: max_tokens }),
  };
};
