/** What parts of a request say against each other, which no part says by itself. */
import { type CompletionRequest, DEFAULT_MAX_TOKENS } from '../../../shared/domain/completion.ts';
import { RequestError } from '../../../shared/domain/errors.ts';
import type { Names } from './names.ts';
import type { Path } from './without.ts';

/** The field, and what is wrong with it as the end of a sentence. */
type Problem = readonly [field: Path, says: string];

const toolProblem = ({ tools, tool_choice, parallel_tool_calls }: CompletionRequest): Problem | null => {
  if (tools === undefined) {
    if (tool_choice !== undefined) return [['tool_choice'], 'needs tools'];
    return parallel_tool_calls === undefined ? null : [['parallel_tool_calls'], 'needs tools'];
  }
  if (tool_choice === undefined || typeof tool_choice === 'string') return null;
  const { name } = tool_choice.function;
  return tools.some((tool) => tool.function.name === name)
    ? null
    : [['tool_choice', 'function', 'name'], 'must be the name of one of tools'];
};

const reasoningProblem = ({ reasoning, max_tokens = DEFAULT_MAX_TOKENS }: CompletionRequest): Problem | null => {
  const budget = reasoning?.budget_tokens;
  if (budget === undefined) return null;
  if (reasoning?.effort === 'none') return [['reasoning', 'budget_tokens'], 'is of no use with an effort of none'];
  return budget < max_tokens
    ? null
    : [['reasoning', 'budget_tokens'], `must be less than max_tokens, which is ${max_tokens}: it is a part of them`];
};

export const contradiction = (request: CompletionRequest, names: Names): RequestError | null => {
  const problem =
    toolProblem(request) ??
    reasoningProblem(request) ??
    (request.top_logprobs !== undefined && !request.logprobs
      ? ([['top_logprobs'], 'needs logprobs: true'] as const)
      : null);
  if (problem === null) return null;
  const [field, says] = problem;
  const param = names.of(field);
  return new RequestError('invalid_body', { param, message: `${param} ${says}.` });
};
