/** From a body of Messages to the neutral form. https://platform.claude.com/docs/en/api/messages/create */
import { CHOICES } from '../../../../providers/anthropic/to-wire.ts';
import { keyOnly, type Made, type Sent } from '../../../intake/translation/sent.ts';
import { cacheMark, textPart } from './from-blocks.ts';
import { turnsOf } from './from-turns.ts';

/** Anthropic's words for the neutral ones that the provider is sent them for. */
const TOOL_CHOICES: ReadonlyMap<unknown, string> = new Map(
  Object.entries(CHOICES).map(([neutral, theirs]) => [theirs, neutral]),
);

const oneOf = (words: Iterable<unknown>): string => `must be one of ${[...words].join(', ')}`;

const systemOf = (sent: Sent): object[] =>
  sent.value === undefined ? [] : [sent.make({ role: 'system', content: sent.map((block) => textPart(block)) })];

/** Null if the neutral form begins where Anthropic's messages do. */
const messagesOf = (sent: Sent, system: Sent): object => {
  const turns = sent.each(turnsOf);
  return turns === null ? sent : sent.list([...systemOf(system), ...turns]);
};

const toolOf = (sent: Sent): Made =>
  sent.read((tool) => {
    if (tool.get('type', 'custom').value !== undefined) return tool.lack(keyOnly('a tool of this type'));
    tool.only('defer_loading', false);
    tool.only('allowed_callers', ['direct']);
    return tool.make({
      type: 'function',
      function: tool.make({
        name: tool.get('name'),
        description: tool.get('description'),
        parameters: tool.get('input_schema'),
        strict: tool.get('strict'),
      }),
      cache_control: cacheMark(tool),
    });
  });

type Choice = { tool_choice: Made; parallel_tool_calls: Made };

const choiceOf = (sent: Sent, hasTools: boolean): Choice => {
  const type = sent.get('type');
  const alone = sent.get('disable_parallel_tool_use', false);
  const isNothing = sent.value === undefined || type.value === 'auto' || (type.value === 'none' && !hasTools);
  const parallel_tool_calls = alone.value === true ? alone.as(false) : alone;
  if (isNothing) return { tool_choice: null, parallel_tool_calls };
  if (type.value === 'tool') {
    const named = sent.make({ type: 'function', function: sent.make({ name: sent.get('name') }) });
    return { tool_choice: named, parallel_tool_calls };
  }
  const neutral = TOOL_CHOICES.get(type.value) ?? type.refuse(oneOf([...TOOL_CHOICES.keys(), 'tool']));
  return { tool_choice: sent.as(neutral), parallel_tool_calls };
};

const THINKING: readonly unknown[] = ['enabled', 'disabled', 'adaptive', 'between_tools'];

/** How many tokens it may think; null if it says nothing of them. Models that are not asked to think do not: `disabled` says no more. */
const budgetOf = (thinking: Sent): Sent | null => {
  const type = thinking.get('type');
  if (thinking.value === undefined) return null;
  if (!THINKING.includes(type.value)) type.refuse(oneOf(THINKING));
  const isOn = type.value === 'enabled';
  if (!isOn && type.value !== 'disabled') return thinking.lack(keyOnly('thinking of this type'));
  const budget = thinking.get('budget_tokens');
  if (isOn && budget.value === undefined) budget.refuse('is required');
  thinking.close();
  return isOn ? budget : null;
};

/** The form has no name there, and needs one elsewhere. */
const FORMAT_NAME = 'answer';

const formatOf = (sent: Sent): Made =>
  sent.read((format) =>
    format.make({
      type: format.get('type'),
      json_schema: format.make({ name: FORMAT_NAME, schema: format.get('schema') }),
    }),
  );

const tierOf = (sent: Sent): Sent => {
  if (sent.value === undefined) return sent;
  return sent.value === 'standard_only' ? sent.as('default') : sent.refuse(oneOf(['auto', 'standard_only']));
};

export const fromMessages = (body: Sent): object => {
  const limit = body.get('max_tokens');
  if (limit.value === undefined) limit.refuse('is required');
  // How the answer is given out says nothing of it.
  body.skip('stream');
  // Without it there is another conversation, or none.
  const thread = body.get('thread');
  if (thread.value !== undefined) thread.lackForGood(keyOnly('thread'));
  body.only('speed', 'standard');

  const [thinking, output, metadata, chosen] = [
    body.open('thinking'),
    body.open('output_config'),
    body.open('metadata'),
    body.open('tool_choice'),
  ];
  const budget_tokens = budgetOf(thinking);
  const effort = output.get('effort');
  const format = output.get('format');
  const user = metadata.get('user_id');
  const tools = body.get('tools', []);
  const choice = choiceOf(chosen, tools.value !== undefined);
  for (const part of [output, metadata, chosen]) part.close();

  return body.make({
    model: body.get('model'),
    messages: messagesOf(body.get('messages'), systemFrom(body)),
    max_tokens: limit,
    temperature: body.get('temperature'),
    top_p: body.get('top_p'),
    top_k: body.get('top_k'),
    stop: body.get('stop_sequences', []),
    tools: tools.map(toolOf),
    ...choice,
    reasoning: effort.value === undefined && budget_tokens === null ? null : body.make({ effort, budget_tokens }),
    response_format: formatOf(format),
    service_tier: tierOf(body.get('service_tier', 'auto')),
    user,
  });
};

/** Without a text it says nothing. */
const systemFrom = (body: Sent): Sent => {
  const system = body.get('system', '');
  return Array.isArray(system.value) && system.value.length === 0 ? body.get('system', []) : system;
};
