/** What a request uses of the things that not every provider takes, and where it stands in it. */
import type { Feature } from '../../../providers/features.ts';
import { type FileMediaType, PLAIN_FIELDS } from '../../../providers/takes.ts';
import type { CompletionRequest } from '../../../shared/domain/completion.ts';
import { type Part, partsOf } from '../../../shared/domain/conversation/content.ts';
import type { AssistantMessage, Message } from '../../../shared/domain/conversation/messages.ts';
import type { Path } from './without.ts';

export type Use = { feature: Feature; path: Path };

/** What each provider does by itself is no use of anything: one answer, no probabilities, calls in parallel, a plain text. */
const PLAIN = [...PLAIN_FIELDS, 'user'] as const satisfies readonly (Feature & keyof CompletionRequest)[];

function* optionUses(request: CompletionRequest): Generator<Use> {
  const { n, logprobs, service_tier, response_format: format, reasoning } = request;
  for (const name of PLAIN) if (request[name] !== undefined) yield { feature: name, path: [name] };
  if (n !== undefined && n > 1) yield { feature: 'n', path: ['n'] };
  if (logprobs) yield { feature: 'logprobs', path: ['logprobs'] };
  if (request.top_logprobs !== undefined) yield { feature: 'logprobs', path: ['top_logprobs'] };
  if (service_tier !== undefined) yield { feature: `service_tier: ${service_tier}`, path: ['service_tier'] };
  if (format && format.type !== 'text') {
    yield { feature: `response_format: ${format.type}`, path: ['response_format'] };
    if (format.type === 'json_schema' && format.json_schema.description !== undefined) {
      yield { feature: 'response_format: description', path: ['response_format', 'json_schema', 'description'] };
    }
  }
  if (reasoning?.effort !== undefined) {
    yield { feature: `reasoning.effort: ${reasoning.effort}`, path: ['reasoning', 'effort'] };
  }
  if (reasoning?.budget_tokens !== undefined) {
    yield { feature: 'reasoning.budget_tokens', path: ['reasoning', 'budget_tokens'] };
  }
}

function* toolUses({ tools = [], tool_choice, parallel_tool_calls }: CompletionRequest): Generator<Use> {
  for (const [at, { function: of, cache_control: mark }] of tools.entries()) {
    if (of.strict) yield { feature: 'tools: strict', path: ['tools', at, 'function', 'strict'] };
    if (mark) yield* markUses('tools', ['tools', at, 'cache_control'], mark);
  }
  if (tool_choice !== undefined) {
    const kind = typeof tool_choice === 'string' ? tool_choice : 'named';
    yield { feature: `tool_choice: ${kind}`, path: ['tool_choice'] };
  }
  if (parallel_tool_calls === false) yield { feature: 'parallel_tool_calls: false', path: ['parallel_tool_calls'] };
}

function* markUses(on: 'parts' | 'tools', path: Path, { ttl }: { ttl?: string | undefined }): Generator<Use> {
  yield { feature: `cache_control: ${on}`, path };
  if (ttl !== undefined) yield { feature: 'cache_control: ttl', path: [...path, 'ttl'] };
}

function* partUses(part: Part, path: Path, { inResult }: { inResult: boolean }): Generator<Use> {
  if (part.type !== 'text' && inResult) yield { feature: 'images and files in results of tools', path };
  if (part.type === 'image_url') {
    const { url, detail } = part.image_url;
    yield { feature: `image_url: ${url.startsWith('data:') ? 'data' : 'https'}`, path };
    if (detail !== undefined) yield { feature: 'image_url: detail', path: [...path, 'image_url', 'detail'] };
  }
  if (part.type === 'file') yield { feature: `file: ${fileTypeOf(part.file.file_data)}`, path };
  if (part.cache_control) yield* markUses('parts', [...path, 'cache_control'], part.cache_control);
}

/** A cast because the request was checked to have one of these. */
const fileTypeOf = (url: string): FileMediaType =>
  url.slice('data:'.length, url.indexOf(';')).toLowerCase() as FileMediaType;

function* answerUses({ tool_calls = [], reasoning_details }: AssistantMessage, path: Path): Generator<Use> {
  if (reasoning_details) yield { feature: 'reasoning_details', path: [...path, 'reasoning_details'] };
  for (const [at, { signature }] of tool_calls.entries()) {
    if (signature !== undefined) {
      yield { feature: 'tool_calls: signature', path: [...path, 'tool_calls', at, 'signature'] };
    }
  }
}

function* messageUses(message: Message, path: Path): Generator<Use> {
  if (message.role === 'tool' && message.is_error) yield { feature: 'is_error: true', path: [...path, 'is_error'] };
  if (message.role === 'assistant') yield* answerUses(message, path);
  if (typeof message.content === 'string') return;
  for (const [at, part] of partsOf(message.content).entries()) {
    yield* partUses(part, [...path, 'content', at], { inResult: message.role === 'tool' });
  }
}

const hasCalls = (message: Message): boolean => message.role === 'assistant' && message.tool_calls !== undefined;

/** In the order in which they stand. */
export function* usesOf(request: CompletionRequest): Generator<Use> {
  for (const [at, message] of request.messages.entries()) yield* messageUses(message, ['messages', at]);
  if (request.tools === undefined && request.messages.some(hasCalls)) {
    yield { feature: 'tool_calls without tools', path: ['tools'] };
  }
  yield* toolUses(request);
  yield* optionUses(request);
}
