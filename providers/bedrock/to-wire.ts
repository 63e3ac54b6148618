/** From a neutral request to one of Converse. */
import type {
  CachePointBlock,
  ContentBlock,
  ConverseCommandInput,
  DocumentBlock,
  ImageBlock,
  SystemContentBlock,
  ToolConfiguration,
  ToolResultContentBlock,
  Tool as WireTool,
} from '@aws-sdk/client-bedrock-runtime';
import type { CompletionRequest } from '../../shared/domain/completion.ts';
import {
  type FilePart,
  type ImagePart,
  type Part,
  partsOf,
  type TextPart,
} from '../../shared/domain/conversation/content.ts';
import type { ToolMessage } from '../../shared/domain/conversation/messages.ts';
import type { Tool } from '../../shared/domain/conversation/tools.ts';
import { type DataUrl, parseDataUrl } from '../../shared/domain/media/data-url.ts';
import { argumentsOf, blocksOf, type SentBlock } from '../call/blocks.ts';
import { placeMessages } from '../call/place-messages.ts';
import type { FileMediaType } from '../takes.ts';

const DOCUMENT_FORMATS = {
  'application/pdf': 'pdf',
  'text/plain': 'txt',
  'text/csv': 'csv',
  'text/html': 'html',
  'text/markdown': 'md',
  'application/msword': 'doc',
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document': 'docx',
  'application/vnd.ms-excel': 'xls',
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': 'xlsx',
} as const satisfies Record<FileMediaType, DocumentBlock['format']>;

type Marked = { cache_control?: TextPart['cache_control'] };

/** It stands behind what is to be cached. */
const cachePoint = ({ cache_control: mark }: Marked): { cachePoint: CachePointBlock }[] =>
  mark ? [{ cachePoint: { type: 'default', ...(mark.ttl && { ttl: mark.ttl }) } }] : [];

/** A cast because the request was checked to have one. */
const dataOf = (url: string): DataUrl => parseDataUrl(url) as DataUrl;

const imageOf = ({ image_url }: ImagePart): ImageBlock => {
  const { mediaType, base64 } = dataOf(image_url.url);
  // A cast because the request was checked to have one of these types.
  const format = mediaType.slice('image/'.length) as NonNullable<ImageBlock['format']>;
  return { format, source: { bytes: Buffer.from(base64, 'base64') } };
};

/** Names come in turn: Converse wants each once, warns of instructions in names, and takes few characters. */
const createDocuments = () => {
  let count = 0;
  return ({ file }: FilePart): DocumentBlock => {
    const { mediaType, base64 } = dataOf(file.file_data);
    count += 1;
    return {
      // A cast because the request was checked to have one of these types.
      format: DOCUMENT_FORMATS[mediaType as FileMediaType],
      name: `Document ${count}`,
      source: { bytes: Buffer.from(base64, 'base64') },
    };
  };
};

type Documents = ReturnType<typeof createDocuments>;

/** What both a message and a tool's result may hold. */
const mediaBlock = (part: Part, documents: Documents): (ContentBlock & ToolResultContentBlock) | { text: string } => {
  if (part.type === 'text') return { text: part.text };
  return part.type === 'image_url' ? { image: imageOf(part) } : { document: documents(part) };
};

const contentBlocks = (parts: readonly Part[], documents: Documents): ContentBlock[] =>
  parts.flatMap((part) => [mediaBlock(part, documents), ...cachePoint(part)]);

const answerBlocks = (block: SentBlock): ContentBlock[] => {
  if (block.type === 'text') return [{ text: block.text }, ...cachePoint(block)];
  if (block.type === 'tool_call') {
    const { id, function: called } = block.call;
    // A cast because what was JSON is a document of AWS's.
    const input = argumentsOf(called.arguments) as NonNullable<ContentBlock.ToolUseMember['toolUse']['input']>;
    return [{ toolUse: { toolUseId: id, name: called.name, input } }];
  }
  const { detail } = block;
  if (detail.type === 'reasoning.encrypted') {
    return [{ reasoningContent: { redactedContent: Buffer.from(detail.data, 'base64') } }];
  }
  const { text, signature } = detail;
  return [{ reasoningContent: { reasoningText: { text, ...(signature !== undefined && { signature }) } } }];
};

const resultBlocks = (message: ToolMessage, documents: Documents): ContentBlock[] => {
  const parts = partsOf(message.content);
  const content = parts.map((part) => mediaBlock(part, documents));
  return [
    {
      toolResult: {
        toolUseId: message.tool_call_id,
        content,
        ...(message.is_error && { status: 'error' as const }),
      },
    },
    ...parts.flatMap(cachePoint),
  ];
};

type Turn = ReturnType<typeof placeMessages>['turns'][number];

const turnBlocks = (turn: Turn, documents: Documents): ContentBlock[] => {
  switch (turn.role) {
    case 'assistant':
      return blocksOf(turn).flatMap(answerBlocks);
    case 'tool':
      return resultBlocks(turn, documents);
    default:
      return contentBlocks(partsOf(turn.content), documents);
  }
};

/** Converse wants roles to alternate: messages of one role in a row become one with several blocks. */
const alternating = (turns: readonly Turn[]): ConverseCommandInput['messages'] => {
  const documents = createDocuments();
  const messages: { role: 'user' | 'assistant'; content: ContentBlock[] }[] = [];
  for (const turn of turns) {
    const role = turn.role === 'assistant' ? 'assistant' : 'user';
    const blocks = turnBlocks(turn, documents);
    // An empty text is refused there, so an answer without one is left out.
    if (blocks.length === 0) continue;
    const last = messages.at(-1);
    if (last?.role === role) last.content.push(...blocks);
    else messages.push({ role, content: blocks });
  }
  return messages;
};

const systemBlocks = (parts: readonly TextPart[]): SystemContentBlock[] =>
  parts.flatMap((part) => [{ text: part.text }, ...cachePoint(part)]);

const toolOf = (tool: Tool): WireTool[] => {
  const { name, description, parameters, strict } = tool.function;
  return [
    {
      toolSpec: {
        name,
        ...(description !== undefined && { description }),
        // A cast because what was JSON is a document of AWS's.
        inputSchema: { json: (parameters ?? { type: 'object' }) as object as { [name: string]: string } },
        ...(strict !== undefined && { strict }),
      },
    },
    ...cachePoint(tool),
  ];
};

const toolConfigOf = ({ tools, tool_choice }: CompletionRequest): ToolConfiguration | null => {
  if (!tools) return null;
  const choices = { auto: { auto: {} }, required: { any: {} } };
  return {
    tools: tools.flatMap(toolOf),
    // `none` is refused at submission.
    ...(tool_choice !== undefined &&
      tool_choice !== 'none' && {
        toolChoice:
          typeof tool_choice === 'string' ? choices[tool_choice] : { tool: { name: tool_choice.function.name } },
      }),
  };
};

const outputOf = ({ response_format: format, reasoning }: CompletionRequest): ConverseCommandInput['outputConfig'] => {
  const effort = reasoning?.effort;
  if (format?.type !== 'json_schema') return effort === undefined ? undefined : { effort };
  const { name, schema, description } = format.json_schema;
  const jsonSchema = { schema: JSON.stringify(schema), name, ...(description !== undefined && { description }) };
  return {
    textFormat: { type: 'json_schema', structure: { jsonSchema } },
    ...(effort !== undefined && { effort }),
  };
};

/** Amazon's models want it elsewhere: https://docs.aws.amazon.com/nova/latest/nova2-userguide/core-inference.html */
const NOVA = /amazon\.nova/;

/** What only some models know. */
const additionalFields = ({ model, top_k, reasoning }: CompletionRequest) => {
  const budget_tokens = reasoning?.budget_tokens;
  const fields = {
    ...(top_k !== undefined && (NOVA.test(model) ? { inferenceConfig: { topK: top_k } } : { top_k })),
    ...(budget_tokens !== undefined && { thinking: { type: 'enabled', budget_tokens } }),
  };
  return Object.keys(fields).length > 0 && { additionalModelRequestFields: fields };
};

export const toInput = (request: CompletionRequest): ConverseCommandInput => {
  const { model, messages, max_tokens, temperature, top_p, stop, service_tier, user } = request;
  // Converse knows a system role between others, but no model takes it there: https://github.com/stdapi-ai/stdapi.ai/issues/49
  const { system, turns } = placeMessages(messages, false);
  const toolConfig = toolConfigOf(request);
  const outputConfig = outputOf(request);
  return {
    modelId: model,
    messages: alternating(turns),
    ...(system.length > 0 && { system: systemBlocks(system) }),
    inferenceConfig: { maxTokens: max_tokens, temperature, topP: top_p, stopSequences: stop },
    ...(toolConfig && { toolConfig }),
    ...(outputConfig && { outputConfig }),
    ...additionalFields(request),
    // `auto` is refused at submission.
    ...(service_tier !== undefined && service_tier !== 'auto' && { serviceTier: { type: service_tier } }),
    ...(user !== undefined && { requestMetadata: { user } }),
  };
};
