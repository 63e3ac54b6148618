/** From a body of Chat Completions to the neutral form. https://developers.openai.com/api/reference/resources/chat */
import { keyOnly, type Made, type Sent } from '../../../intake/translation/sent.ts';
import { answerOf, instructionsOf, questionOf, resultOf, textPart } from './from-chat-message.ts';

const messageOf = (sent: Sent): Made =>
  sent.read((message) => {
    const role = message.get('role');
    switch (role.value) {
      case 'system':
      case 'developer':
        return instructionsOf(message);
      case 'user':
        return questionOf(message);
      case 'assistant':
        return answerOf(message);
      case 'tool':
        return resultOf(message);
      case 'function':
        return message.lackForGood(keyOnly('a message of role function'));
      default:
        return role.refuse('must be one of developer, system, user, assistant, tool');
    }
  });

const toolOf = (sent: Sent): Made =>
  sent.read((tool) => {
    const type = tool.get('type');
    if (typeof type.value === 'string' && type.value !== 'function') return tool.lack(keyOnly('a tool of this type'));
    const called = tool.get('function').read((of) =>
      of.make({
        name: of.get('name'),
        description: of.get('description'),
        parameters: of.get('parameters'),
        strict: of.get('strict'),
      }),
    );
    return tool.make({ type, function: called });
  });

const choiceOf = (sent: Sent, hasTools: boolean): Made => {
  // Without tools there is nothing that it could forbid.
  if (sent.value === 'none' && !hasTools) return null;
  return sent.read((choice) => {
    const type = choice.get('type');
    if (type.value === 'allowed_tools' || type.value === 'custom') {
      return choice.lack(keyOnly('a tool_choice of this type'));
    }
    return choice.make({ type, function: choice.get('function').read((of) => of.make({ name: of.get('name') })) });
  });
};

const formatOf = (sent: Sent): Made =>
  sent.read((format) =>
    format.make({
      type: format.get('type'),
      json_schema: format.get('json_schema').read((of) =>
        of.make({
          name: of.get('name'),
          schema: of.get('schema'),
          description: of.get('description'),
          strict: of.get('strict'),
        }),
      ),
    }),
  );

const predictionOf = (sent: Sent): Made =>
  sent.read((said) => said.make({ type: said.get('type'), content: said.get('content').map(textPart) }));

/** Tiers of OpenAI's own. */
const OWN_TIERS: readonly unknown[] = ['scale', 'fast'];

const tierOf = (sent: Sent): Made =>
  OWN_TIERS.includes(sent.value) ? sent.lack(keyOnly('a service_tier of this name')) : sent;

/** Members of one name and meaning; what follows a name is what happens by itself, which many clients spell out. */
const SAME = {
  model: null,
  temperature: null,
  top_p: null,
  n: 1,
  seed: null,
  logprobs: false,
  top_logprobs: null,
  logit_bias: {},
  frequency_penalty: 0,
  presence_penalty: 0,
  verbosity: 'medium',
  parallel_tool_calls: true,
  metadata: {},
} as const satisfies Record<string, unknown>;

export const fromChat = (body: Sent): object => {
  // How the answer is given out says nothing of it.
  body.skip('stream', 'stream_options');
  body.only('store', false);
  body.only('modalities', ['text']);
  const tools = body.get('tools', []);
  const effort = body.get('reasoning_effort');
  return body.make({
    ...Object.fromEntries(Object.entries(SAME).map(([name, byItself]) => [name, body.get(name, byItself)])),
    messages: body.get('messages').map(messageOf),
    max_tokens: body.either('max_completion_tokens', 'max_tokens'),
    stop: body.get('stop', []),
    tools: tools.map(toolOf),
    tool_choice: choiceOf(body.get('tool_choice', 'auto'), tools.value !== undefined),
    response_format: formatOf(body.get('response_format')),
    reasoning: effort.value === undefined ? null : effort.make({ effort }),
    prediction: predictionOf(body.get('prediction')),
    service_tier: tierOf(body.get('service_tier', 'auto')),
    user: body.either('safety_identifier', 'user'),
  });
};
