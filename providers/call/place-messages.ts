/** Messages as Anthropic and Bedrock take them: what cannot stand where it was put moves as little as it can. */
import { type CompletionRequest, type Message, messageTexts } from '../../shared/domain/completion.ts';

type Turn = { role: 'user' | 'assistant'; content: Message['content'] };
export type TextBlock = { type: 'text'; text: string };
type Placed = {
  /** What stands before the conversation. */
  system: string[];
  turns: (Turn | { role: 'system'; content: TextBlock[] })[];
};

const isBlank = (text: string): boolean => text.trim() === '';

/** An assistant's text without blank parts, which both providers refuse; at the end of a request, where it begins the answer, they refuse a blank end too. */
const assistantContent = (content: Message['content'], isLast: boolean): Message['content'] => {
  if (typeof content === 'string') return isLast ? content.trimEnd() : content;
  const parts = content.filter(({ text }) => !isBlank(text));
  return isLast
    ? parts.map((part, at) => (at === parts.length - 1 ? { ...part, text: part.text.trimEnd() } : part))
    : parts;
};

/** An answer can have been empty, and most providers take no message without a text. */
export const withoutEmptyAnswers = (messages: CompletionRequest['messages']): CompletionRequest['messages'] =>
  messages.filter(({ role, content }) => role !== 'assistant' || !messageTexts(content).every(isBlank));

const cleaned = (messages: CompletionRequest['messages']): CompletionRequest['messages'] => {
  const kept = withoutEmptyAnswers(messages);
  const last = kept.findLast(({ role }) => role !== 'system');
  return kept.map((message) =>
    message.role === 'assistant'
      ? { ...message, content: assistantContent(message.content, message === last) }
      : message,
  );
};

/**
 * `inPlace`: whether the model takes a system message between others. It may only end a user's turn, so one that stands elsewhere
 * waits for the end of the next; where there is none, and for other models, it goes before the conversation.
 */
export const placeMessages = (messages: CompletionRequest['messages'], inPlace: boolean): Placed => {
  const placed: Placed = { system: [], turns: [] };
  let waiting: string[] = [];
  const settle = (): void => {
    if (inPlace && placed.turns.at(-1)?.role === 'user' && waiting.length > 0) {
      placed.turns.push({ role: 'system', content: waiting.map((text) => ({ type: 'text', text })) });
    } else {
      placed.system.push(...waiting);
    }
    waiting = [];
  };
  for (const { role, content } of cleaned(messages)) {
    if (role === 'system') {
      waiting.push(...messageTexts(content));
    } else {
      if (role === 'assistant' || placed.turns.length === 0) settle();
      placed.turns.push({ role, content });
    }
  }
  settle();
  return placed;
};
