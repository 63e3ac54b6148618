/** The messages of Messages in the neutral form, which has a message for each result of a tool. */
import { isAsWritten, WHAT_PARSING_CHANGES } from '../../../../shared/domain/json/as-written.ts';
import { keyOnly, type Made, type Sent } from '../../../intake/translation/sent.ts';
import { cacheMark, NO_TYPE, partOf, textPart } from './from-blocks.ts';

/** A block of an answer, as the list that it goes into has it. */
type Block = { kind: 'text' | 'reasoning' | 'tool_call'; made: object; sent: Sent };

const argumentsOf = (input: Sent): Sent => {
  const { value } = input;
  if (value === undefined) return input;
  if (typeof value === 'object' && value !== null && !isAsWritten(value)) {
    input.lackForGood(`An input is taken as values, which would not be these: it holds ${WHAT_PARSING_CHANGES}`);
  }
  return input.as(JSON.stringify(value));
};

const callOf = (block: Sent): object => {
  const caller = block.open('caller');
  caller.only('type', 'direct');
  caller.close();
  return block.make({
    id: block.get('id'),
    type: 'function',
    function: block.make({ name: block.get('name'), arguments: argumentsOf(block.get('input')) }),
  });
};

const blockOf = (sent: Sent): Block | null => {
  const type = sent.get('type');
  const as = (kind: Block['kind'], build: (block: Sent) => Made): Block | null => {
    const made = sent.read(build);
    return made && { kind, made, sent };
  };
  switch (type.value) {
    case 'thinking':
      // What stands for no signature.
      return as('reasoning', (block) =>
        block.make({ type: 'reasoning.text', text: block.get('thinking'), signature: block.get('signature', '') }),
      );
    case 'redacted_thinking':
      return as('reasoning', (block) => block.make({ type: 'reasoning.encrypted', data: block.get('data') }));
    case 'tool_use':
      return as('tool_call', callOf);
    case 'text':
      return as('text', (block) => textPart(block));
    default:
      return typeof type.value === 'string' ? sent.lack(keyOnly('a block of this type')) : type.refuse(NO_TYPE);
  }
};

const ORDER = ['reasoning', 'text', 'tool_call'] as const satisfies readonly Block['kind'][];
const isInOrder = (blocks: readonly Block[]): boolean =>
  blocks.every(({ kind }, at) => at === 0 || ORDER.indexOf(kind) >= ORDER.indexOf(blocks[at - 1]?.kind ?? kind));

/** Each block in its place, if thoughts, texts and calls do not follow one another. */
const placesOf = (blocks: readonly Block[]): object[] => {
  let thoughts = 0;
  return blocks.map(({ kind, made, sent }) => {
    if (kind === 'tool_call') return sent.make({ type: kind, id: sent.get('id') });
    if (kind === 'reasoning') return sent.make({ type: kind, index: thoughts++ });
    // A text has no place for it there.
    if ('cache_control' in made) sent.get('cache_control').lack(keyOnly('cache_control before a later call'));
    return sent.make({ type: kind, text: sent.get('text') });
  });
};

/** What is no text its own place says to be wrong. */
const textOf = ({ kind, sent }: Block): string => {
  const text = kind === 'text' ? sent.get('text').value : '';
  return typeof text === 'string' ? text : '';
};

const answerOf = (message: Sent): object => {
  const content = message.get('content');
  const blocks = content.each(blockOf);
  if (blocks === null) return message.make({ role: 'assistant', content });
  const of = (kind: Block['kind']): object[] => blocks.flatMap((block) => (block.kind === kind ? [block.made] : []));
  const [thoughts, texts, calls] = [of('reasoning'), of('text'), of('tool_call')];
  const inOrder = isInOrder(blocks);
  const joined = blocks.map(textOf).join('');
  const said = texts.length === 0 ? content.as(calls.length > 0 ? null : '') : content.list(texts);
  return message.make({
    role: 'assistant',
    content: inOrder ? said : content.as(joined),
    tool_calls: calls.length > 0 ? content.list(calls) : null,
    reasoning_details: thoughts.length > 0 ? content.list(thoughts) : null,
    parts: inOrder ? null : content.list(placesOf(blocks)),
  });
};

/** What is to be cached up to a result is so up to its last part. */
const contentOf = (block: Sent): object => {
  const content = block.get('content', []);
  const mark = cacheMark(block);
  if (content.value === undefined || content.value === '') {
    if (mark !== null) block.get('cache_control').lack(keyOnly('cache_control of an empty result'));
    return content.as('');
  }
  if (typeof content.value !== 'string') return content.map((entry, isLast) => partOf(entry, isLast ? mark : null));
  return mark === null ? content : content.list([block.make({ type: 'text', text: content, cache_control: mark })]);
};

const resultOf = (block: Sent): object =>
  block.make({
    role: 'tool',
    tool_call_id: block.get('tool_use_id'),
    content: contentOf(block),
    is_error: block.get('is_error', false),
  });

const isResult = (entry: object): boolean => 'role' in entry;

/** Results of tools are messages of their own, in their places between what the user says. */
const questionOf = (message: Sent): object[] => {
  const content = message.get('content');
  const entries = content.each((entry) =>
    entry.get('type').value === 'tool_result' ? entry.read(resultOf) : partOf(entry),
  );
  if (entries === null || entries.length === 0) return [message.make({ role: 'user', content })];
  const turns: object[] = [];
  let parts: object[] = [];
  const say = (): void => {
    if (parts.length > 0) turns.push(message.make({ role: 'user', content: content.list(parts) }));
    parts = [];
  };
  for (const entry of entries) {
    if (isResult(entry)) {
      say();
      turns.push(entry);
    } else parts.push(entry);
  }
  say();
  return turns;
};

/** The messages that one of Anthropic's stands for. */
export const turnsOf = (sent: Sent): Made =>
  sent.read((message) => {
    const role = message.get('role');
    switch (role.value) {
      case 'user':
        return questionOf(message);
      case 'assistant':
        return answerOf(message);
      case 'system':
        return message.make({ role: 'system', content: message.get('content').map((block) => textPart(block)) });
      default:
        return role.refuse('must be one of user, assistant, system');
    }
  });
