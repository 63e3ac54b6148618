/** From a neutral request to one of Messages. */
import type {
  ContentBlockParam,
  DocumentBlockParam,
  ImageBlockParam,
  MessageCreateParamsNonStreaming,
  MessageParam,
  TextBlockParam,
  ToolResultBlockParam,
  Tool as WireTool,
  ToolChoice as WireToolChoice,
} from '@anthropic-ai/sdk/resources/messages';
import { type CompletionRequest, DEFAULT_MAX_TOKENS } from '../../shared/domain/completion.ts';
import type { FilePart, ImagePart, Part, TextPart } from '../../shared/domain/conversation/content.ts';
import type { AssistantMessage, ToolMessage } from '../../shared/domain/conversation/messages.ts';
import type { Tool } from '../../shared/domain/conversation/tools.ts';
import { type DataUrl, parseDataUrl } from '../../shared/domain/media/data-url.ts';
import { argumentsOf, blocksOf, type SentBlock } from '../call/blocks.ts';
import { placeMessages } from '../call/place-messages.ts';

/**
 * Models that take a system message between others, from Opus 4.8 on (not Sonnet 5); all others refuse it.
 * https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages
 */
const TAKES_SYSTEM_IN_PLACE = /^claude-(?:opus-(?:4-(?:[89]|[1-9]\d)|[5-9])(?!\d)|fable-)/;

/** What only the older version of the API takes. */
type Sampling = { temperature?: number; top_p?: number; top_k?: number };
type Body = MessageCreateParamsNonStreaming & Sampling;

type Marked = { cache_control?: TextPart['cache_control'] };

const cacheMark = ({ cache_control: mark }: Marked) =>
  mark && { cache_control: { type: mark.type, ...(mark.ttl && { ttl: mark.ttl }) } };

const textBlock = (part: TextPart): TextBlockParam => ({ type: 'text', text: part.text, ...cacheMark(part) });

/** A cast because the request was checked to have one. */
const dataOf = (url: string): DataUrl => parseDataUrl(url) as DataUrl;

type ImageData = Extract<ImageBlockParam['source'], { type: 'base64' }>;

const imageBlock = (part: ImagePart): ImageBlockParam => {
  const { url } = part.image_url;
  if (!url.startsWith('data:')) return { type: 'image', source: { type: 'url', url }, ...cacheMark(part) };
  const { mediaType, base64 } = dataOf(url);
  // A cast because the request was checked to have one of these types.
  const source: ImageData = { type: 'base64', media_type: mediaType as ImageData['media_type'], data: base64 };
  return { type: 'image', source, ...cacheMark(part) };
};

const documentBlock = (part: FilePart): DocumentBlockParam => {
  const { file_data, filename } = part.file;
  const { mediaType, base64 } = dataOf(file_data);
  const source: DocumentBlockParam['source'] =
    mediaType === 'application/pdf'
      ? { type: 'base64', media_type: mediaType, data: base64 }
      : { type: 'text', media_type: 'text/plain', data: Buffer.from(base64, 'base64').toString() };
  return { type: 'document', source, ...(filename !== undefined && { title: filename }), ...cacheMark(part) };
};

const contentBlock = (part: Part): TextBlockParam | ImageBlockParam | DocumentBlockParam => {
  if (part.type === 'text') return textBlock(part);
  return part.type === 'image_url' ? imageBlock(part) : documentBlock(part);
};

const answerBlock = (block: SentBlock): ContentBlockParam => {
  if (block.type === 'text') return textBlock(block);
  if (block.type === 'tool_call') {
    const { id, function: called } = block.call;
    return { type: 'tool_use', id, name: called.name, input: argumentsOf(called.arguments) };
  }
  const { detail } = block;
  return detail.type === 'reasoning.text'
    ? { type: 'thinking', thinking: detail.text, signature: detail.signature ?? '' }
    : { type: 'redacted_thinking', data: detail.data };
};

/** The only text of an answer that is nothing else; null for any other. */
const onlyText = ({ content, tool_calls, reasoning_details, parts }: AssistantMessage): string | null =>
  typeof content === 'string' && !tool_calls && !reasoning_details && !parts ? content : null;

const resultBlock = ({ tool_call_id, content, is_error }: ToolMessage): ToolResultBlockParam => ({
  type: 'tool_result',
  tool_use_id: tool_call_id,
  ...(content !== '' && { content: typeof content === 'string' ? content : content.map(contentBlock) }),
  ...(is_error && { is_error }),
});

type Turn = ReturnType<typeof placeMessages>['turns'][number];

const turnOf = (turn: Exclude<Turn, ToolMessage>): MessageParam => {
  if (turn.role === 'system') return { role: 'system', content: turn.content.map(textBlock) };
  if (turn.role === 'user') {
    return { role: 'user', content: typeof turn.content === 'string' ? turn.content : turn.content.map(contentBlock) };
  }
  return { role: 'assistant', content: onlyText(turn) ?? blocksOf(turn).map(answerBlock) };
};

/** Results of one answer's calls stand in one message. */
const toMessages = (turns: readonly Turn[]): MessageParam[] => {
  const messages: MessageParam[] = [];
  let results: ToolResultBlockParam[] | null = null;
  for (const turn of turns) {
    if (turn.role !== 'tool') {
      results = null;
      messages.push(turnOf(turn));
    } else if (results === null) {
      results = [resultBlock(turn)];
      messages.push({ role: 'user', content: results });
    } else {
      results.push(resultBlock(turn));
    }
  }
  return messages;
};

const toolOf = (tool: Tool): WireTool => {
  const { name, description, parameters, strict } = tool.function;
  return {
    name,
    ...(description !== undefined && { description }),
    // A cast because the provider says what is wrong with a schema that is not of this form.
    input_schema: (parameters ?? { type: 'object' }) as WireTool['input_schema'],
    ...(strict !== undefined && { strict }),
    ...cacheMark(tool),
  };
};

export const CHOICES = { none: 'none', auto: 'auto', required: 'any' } as const;

const toolChoiceOf = ({ tool_choice, parallel_tool_calls }: CompletionRequest): WireToolChoice | null => {
  if (tool_choice === undefined && parallel_tool_calls !== false) return null;
  const choice = tool_choice ?? 'auto';
  if (choice === 'none') return { type: 'none' };
  const alone = parallel_tool_calls === false && { disable_parallel_tool_use: true };
  return typeof choice === 'string'
    ? { type: CHOICES[choice], ...alone }
    : { type: 'tool', name: choice.function.name, ...alone };
};

const outputOf = ({ response_format: format, reasoning }: CompletionRequest) => {
  const effort = reasoning?.effort;
  const config: NonNullable<Body['output_config']> = {
    // A cast because `none` is said otherwise, and `minimal` is refused at submission.
    ...(effort !== undefined && effort !== 'none' && { effort: effort as 'low' }),
    ...(format?.type === 'json_schema' && { format: { type: 'json_schema', schema: format.json_schema.schema } }),
  };
  return Object.keys(config).length > 0 && { output_config: config };
};

const thinkingOf = ({ reasoning }: CompletionRequest): Pick<Body, 'thinking'> => {
  if (reasoning?.effort === 'none') return { thinking: { type: 'disabled' } };
  const budget_tokens = reasoning?.budget_tokens;
  return budget_tokens === undefined ? {} : { thinking: { type: 'enabled', budget_tokens } };
};

export const toBody = (request: CompletionRequest): Body => {
  const { model, messages, max_tokens, temperature, top_p, top_k, stop, tools, service_tier, user } = request;
  const { system, turns } = placeMessages(messages, TAKES_SYSTEM_IN_PLACE.test(model));
  const tool_choice = toolChoiceOf(request);
  return {
    model,
    max_tokens: max_tokens ?? DEFAULT_MAX_TOKENS,
    messages: toMessages(turns),
    ...(system.length > 0 && { system: system.map(textBlock) }),
    ...(temperature !== undefined && { temperature }),
    ...(top_p !== undefined && { top_p }),
    ...(top_k !== undefined && { top_k }),
    ...(stop !== undefined && { stop_sequences: stop }),
    ...(tools && { tools: tools.map(toolOf) }),
    ...(tool_choice && { tool_choice }),
    ...outputOf(request),
    ...thinkingOf(request),
    ...(service_tier !== undefined && { service_tier: service_tier === 'auto' ? 'auto' : 'standard_only' }),
    ...(user !== undefined && { metadata: { user_id: user } }),
  };
};
