/** A neutral answer, from the blocks that a provider gave it in. */
import type { AnswerPart, ReasoningDetail } from '../../shared/domain/conversation/reasoning.ts';
import type { Choice, FinishReason } from '../../shared/domain/conversation/result.ts';
import type { ToolCall } from '../../shared/domain/conversation/tools.ts';

export type Block =
  | { type: 'text'; text: string }
  | { type: 'reasoning'; detail: ReasoningDetail }
  | { type: 'tool_call'; call: ToolCall };

/** By a provider's words, of which the first for each reason says it exactly. */
export type FinishReasons = ReadonlyMap<string, FinishReason>;

/** What a provider may write for a reason. */
const WORD = /^[A-Za-z_]{1,64}$/;

/** `provider_finish_reason` is there if the neutral reason does not say as much as the provider's word. */
export const finishOf = (
  word: string | null | undefined,
  reasons: FinishReasons,
): Pick<Choice, 'finish_reason' | 'provider_finish_reason'> => {
  const finish_reason = reasons.get(word ?? '') ?? 'other';
  const exact = [...reasons].find(([, reason]) => reason === finish_reason)?.[0];
  const says = typeof word === 'string' && word !== exact && WORD.test(word);
  return { finish_reason, ...(says && { provider_finish_reason: word }) };
};

/** The word that others have for how an answer ended: the provider's own if it is one of them, else the exact one; null if they have none. */
export const wordFor = <Word extends string>(
  { finish_reason, provider_finish_reason }: Pick<Choice, 'finish_reason' | 'provider_finish_reason'>,
  reasons: ReadonlyMap<Word, FinishReason>,
): Word | null => {
  const words = [...reasons].filter(([, reason]) => reason === finish_reason).map(([word]) => word);
  return words.find((word) => word === provider_finish_reason) ?? words[0] ?? null;
};

/** Reasoning, then at most one text, then calls: what `content` and the two lists say by themselves. */
const ORDER = ['reasoning', 'text', 'tool_call'] as const;
const isPlain = (blocks: readonly Block[]): boolean =>
  blocks.filter(({ type }) => type === 'text').length <= 1 &&
  blocks.every(({ type }, at) => at === 0 || ORDER.indexOf(type) >= ORDER.indexOf(blocks[at - 1]?.type ?? 'reasoning'));

const partsOf = (blocks: readonly Block[]): AnswerPart[] => {
  let thoughts = 0;
  return blocks.map((block) => {
    if (block.type === 'text') return block;
    if (block.type === 'tool_call') return { type: 'tool_call', id: block.call.id };
    thoughts += 1;
    return { type: 'reasoning', index: thoughts - 1 };
  });
};

/** Members that the answer does not have are left out. */
export const answerOf = (blocks: readonly Block[]): Pick<Choice, 'role' | 'content'> & Partial<Choice> => {
  const details = blocks.flatMap((block) => (block.type === 'reasoning' ? [block.detail] : []));
  const calls = blocks.flatMap((block) => (block.type === 'tool_call' ? [block.call] : []));
  return {
    role: 'assistant',
    content: blocks.map((block) => (block.type === 'text' ? block.text : '')).join(''),
    ...(!isPlain(blocks) && { parts: partsOf(blocks) }),
    ...(calls.length > 0 && { tool_calls: calls }),
    ...(details.length > 0 && { reasoning_details: details }),
  };
};
