/** What a call may use, before it is made. Cheap: a tokenizer would stop the process for seconds on hostile text. */
import type { ImageTokens } from '../../../providers/takes.ts';
import { type CompletionRequest, DEFAULT_MAX_TOKENS } from '../completion.ts';
import { partsOf } from '../conversation/content.ts';
import type { Message } from '../conversation/messages.ts';
import { maxTokens } from './max-tokens.ts';
import { fileTokens, imageTokens, type MediaTokens } from './media-tokens.ts';

const BYTES_A_TOKEN = 3;
/** What a provider usually puts around each message. */
const TOKENS_A_MESSAGE = 4;
/** What none goes beyond: a chat template's marks around each message and each of its texts, and the instructions that some models bring along. */
const MAX_TOKENS_A_MARK = 8;
const MAX_TOKENS_A_REQUEST = 256;
/** Instructions that come with tools, and with a form of the answer (https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview). */
const MAX_TOKENS_OF_TOOLS = 1_024;
const MAX_TOKENS_OF_A_FORM = 512;

export type UsageEstimate = {
  inputTokens: number;
  outputTokens: number;
  /** The request asks for its input to be cached for an hour, which costs more than other ways. */
  hourCache?: true;
};
type Estimates = { likely: UsageEstimate; max: UsageEstimate };

/** The texts beside the content. */
const moreTexts = (message: Message): string[] => {
  if (message.role === 'tool') return [message.tool_call_id];
  if (message.role !== 'assistant') return [];
  const { tool_calls = [], reasoning_details = [], refusal } = message;
  return [
    ...tool_calls.flatMap(({ id, function: called, signature = '' }) => [id, called.name, called.arguments, signature]),
    ...reasoning_details.flatMap((detail) =>
      detail.type === 'reasoning.text' ? [detail.text, detail.signature ?? ''] : [detail.data],
    ),
    ...(refusal === undefined ? [] : [refusal]),
  ];
};

/** Counts texts and media as they come. */
const createCount = () => {
  let bytes = 0;
  let textTokens = 0;
  let marks = 0;
  const media = { likely: 0, max: 0 };
  return {
    text: (text: string): void => {
      bytes += Buffer.byteLength(text);
      textTokens += maxTokens(text);
      marks += 1;
    },
    media: ({ likely, max }: MediaTokens): void => {
      media.likely += likely;
      media.max += max;
      marks += 1;
    },
    mark: (): void => {
      marks += 1;
    },
    likely: () => Math.ceil(bytes / BYTES_A_TOKEN) + media.likely,
    max: () => textTokens + media.max + MAX_TOKENS_A_MARK * marks,
  };
};

/** Written by the model as it goes on from a prediction: what of that is wrong is paid for as output. */
const predictedTokens = ({ prediction }: CompletionRequest): number =>
  partsOf(prediction?.content ?? null).reduce(
    (sum, part) => sum + (part.type === 'text' ? maxTokens(part.text) : 0),
    0,
  );

const asksForAnHour = ({ messages, tools = [] }: CompletionRequest): boolean =>
  tools.some(({ cache_control }) => cache_control?.ttl === '1h') ||
  messages.some(
    ({ content }) => typeof content !== 'string' && partsOf(content).some((part) => part.cache_control?.ttl === '1h'),
  );

/**
 * `likely` is right for ordinary text and informs. `max` protects money: base64, rare scripts and emoji
 * come close to it.
 */
export const estimateUsage = (
  request: CompletionRequest,
  provider: { imageTokens: readonly [ImageTokens, ...ImageTokens[]] },
): Estimates => {
  const { model, messages, tools = [], response_format: format, max_tokens = DEFAULT_MAX_TOKENS, n = 1 } = request;
  const count = createCount();
  for (const message of messages) {
    count.mark();
    const { content } = message;
    if (typeof content === 'string') count.text(content);
    for (const part of typeof content === 'string' ? [] : partsOf(content)) {
      if (part.type === 'text') count.text(part.text);
      else if (part.type === 'image_url') count.media(imageTokens(part, model, provider.imageTokens));
      else {
        count.media(fileTokens(part));
        if (part.file.filename !== undefined) count.text(part.file.filename);
      }
    }
    for (const text of moreTexts(message)) count.text(text);
  }
  for (const tool of tools) count.text(JSON.stringify(tool.function));
  if (format?.type === 'json_schema') count.text(JSON.stringify(format.json_schema));
  const instructions =
    MAX_TOKENS_A_REQUEST + (tools.length > 0 ? MAX_TOKENS_OF_TOOLS : 0) + (format ? MAX_TOKENS_OF_A_FORM : 0);
  return {
    likely: { inputTokens: count.likely() + TOKENS_A_MESSAGE * messages.length, outputTokens: max_tokens * n },
    max: {
      inputTokens: count.max() + instructions,
      outputTokens: (max_tokens + predictedTokens(request)) * n,
      ...(asksForAnHour(request) && { hourCache: true as const }),
    },
  };
};
