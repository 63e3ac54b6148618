/** The words of Chat Completions for the end of an answer, which all its speakers have. */
import type { FinishReason } from '../../../shared/domain/conversation/result.ts';

export const FINISH_REASONS = new Map([
  ['stop', 'stop'],
  ['length', 'length'],
  ['content_filter', 'content_filter'],
  ['tool_calls', 'tool_calls'],
] as const satisfies readonly (readonly [string, FinishReason])[]);
