/** The chunks of a streamed Chat Completion. */
import type { StreamedUsage } from '../manifest.ts';
import type { chatAnswer } from './chat-completions.ts';
import { shardsOf, wordsOf } from './pieces.ts';
import type { SentEvent, Streaming } from './wire.ts';

type Whole = ReturnType<typeof chatAnswer>;
type Choice = Whole['choices'][number];

const deltasOf = ({ message, logprobs }: Choice): { delta: object; logprobs: object | null }[] => {
  const { role, content, refusal, tool_calls: calls = [] } = message;
  const told = content === '' ? [] : wordsOf(content ?? '');
  const words = told.map((word, at) => {
    const token = logprobs?.content[at];
    return { delta: { content: word }, logprobs: token ? { content: [token], refusal: null } : null };
  });
  const called = calls.flatMap(({ id, type, function: { name, arguments: text } }, index) => [
    { tool_calls: [{ index, id, type, function: { name, arguments: '' } }] },
    ...shardsOf(text).map((shard) => ({ tool_calls: [{ index, function: { arguments: shard } }] })),
  ]);
  const first = { role, content: content === null ? null : '', refusal };
  return [first, ...called].flatMap((delta, at) => [{ delta, logprobs: null }, ...(at === 0 ? words : [])]);
};

/** `tells`: whether the last chunk of the choices has the usage, or one of its own if the request asks for it. */
export const chatStreaming = (
  wholeOf: (answer: Parameters<typeof chatAnswer>[0]) => Whole,
  tells: StreamedUsage,
): Streaming => ({
  events: (answer, asked) => {
    const { choices, usage, ...rest } = wholeOf(answer);
    const common = { ...rest, object: 'chat.completion.chunk' };
    const ofItsOwn = tells === 'if_asked' && asked.usage;
    const chunk = (more: object): SentEvent => ({
      name: null,
      data: { ...common, ...(ofItsOwn && { usage: null }), ...more },
    });
    const last = choices.length - 1;
    return [
      ...choices.flatMap((choice) => [
        ...deltasOf(choice).map((part) => chunk({ choices: [{ index: choice.index, ...part, finish_reason: null }] })),
        chunk({
          choices: [{ index: choice.index, delta: {}, logprobs: null, finish_reason: choice.finish_reason }],
          ...(tells === 'always' && choice.index === last && { usage }),
        }),
      ]),
      ...(ofItsOwn ? [chunk({ choices: [], usage })] : []),
      { name: null, data: '[DONE]' },
    ];
  },
  failure: (body) => ({ name: null, data: Array.isArray(body) ? body[0] : body }),
});
