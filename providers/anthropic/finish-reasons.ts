/** Anthropic's words for the end of an answer. https://platform.claude.com/docs/en/api/messages */
import type { FinishReason } from '../../shared/domain/conversation/result.ts';

/** The first word for each reason says it exactly. */
export const FINISH_REASONS = new Map([
  ['end_turn', 'stop'],
  ['stop_sequence', 'stop'],
  ['max_tokens', 'length'],
  ['model_context_window_exceeded', 'length'],
  ['refusal', 'content_filter'],
  ['tool_use', 'tool_calls'],
  ['pause_turn', 'pause'],
] as const satisfies readonly (readonly [string, FinishReason])[]);
