/** Messages as Anthropic and Bedrock take them: what cannot stand where it was put moves as little as it can. */
import { partsOf, type TextPart } from '../../shared/domain/conversation/content.ts';
import type {
  AssistantMessage,
  InstructionMessage,
  Message,
  ToolMessage,
  UserMessage,
} from '../../shared/domain/conversation/messages.ts';
import { isEmptyAnswer } from './blocks.ts';

type Instructions = { role: 'system'; content: TextPart[] };
type Placed = {
  /** What stands before the conversation. */
  system: TextPart[];
  turns: (UserMessage | AssistantMessage | ToolMessage | Instructions)[];
};

/** At the end of a request, where an answer begins the next one, both providers refuse a blank end. */
const withoutBlankEnd = (message: AssistantMessage): AssistantMessage => {
  const { content } = message;
  if (typeof content === 'string') return { ...message, content: content.trimEnd() };
  const kept = (content ?? []).filter(({ text }) => text.trim() !== '');
  return {
    ...message,
    content: kept.map((part, at) => (at === kept.length - 1 ? { ...part, text: part.text.trimEnd() } : part)),
  };
};

/** An answer can have been empty, and most providers take no message without a text. */
export const withoutEmptyAnswers = (messages: readonly Message[]): Message[] =>
  messages.filter((message) => message.role !== 'assistant' || !isEmptyAnswer(message));

const isInstruction = (message: Message): message is InstructionMessage =>
  message.role === 'system' || message.role === 'developer';

const cleaned = (messages: readonly Message[]): Message[] => {
  const kept = withoutEmptyAnswers(messages);
  const last = kept.findLast((message) => !isInstruction(message));
  return kept.map((message) => (message.role === 'assistant' && message === last ? withoutBlankEnd(message) : message));
};

/** A cast because instructions are texts. */
const textParts = ({ content }: InstructionMessage): TextPart[] => partsOf(content) as TextPart[];

/**
 * `inPlace`: whether the model takes a system message between others. It may only end a user's turn, so one that stands elsewhere
 * waits for the end of the next; where there is none, and for other models, it goes before the conversation.
 */
export const placeMessages = (messages: readonly Message[], inPlace: boolean): Placed => {
  const placed: Placed = { system: [], turns: [] };
  let waiting: TextPart[] = [];
  const settle = (): void => {
    const before = placed.turns.at(-1)?.role;
    if (inPlace && (before === 'user' || before === 'tool') && waiting.length > 0) {
      placed.turns.push({ role: 'system', content: waiting });
    } else {
      placed.system.push(...waiting);
    }
    waiting = [];
  };
  for (const message of cleaned(messages)) {
    if (isInstruction(message)) {
      waiting.push(...textParts(message));
    } else {
      if (message.role === 'assistant' || placed.turns.length === 0) settle();
      placed.turns.push(message);
    }
  }
  settle();
  return placed;
};
