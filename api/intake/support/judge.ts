/** What a provider does not take is refused before it is accepted, or left out with a warning: it is neither dropped in silence nor bent into something else. */
import { manifestOf, type Provider, perProvider } from '../../../providers/catalogue.ts';
import { featuresOf } from '../../../providers/features.ts';
import type { CompletionRequest } from '../../../shared/domain/completion.ts';
import type { RequestError } from '../../../shared/domain/errors.ts';
import type { Warning } from '../../../shared/domain/jobs/schema.ts';
import { objectAsWritten, WHAT_PARSING_CHANGES } from '../../../shared/domain/json/as-written.ts';
import { type Lack, type OnUnsupported, refusalOf, warningsOf } from './lacks.ts';
import type { Names } from './names.ts';
import { usesOf } from './uses.ts';
import { type Path, without } from './without.ts';

type Of = { provider: Provider; names: Names; onUnsupported: OnUnsupported };

const TAKEN = perProvider((provider) => featuresOf(manifestOf(provider).takes));

function* lacksOf(request: CompletionRequest, provider: Provider): Generator<Lack> {
  const { label, takes } = manifestOf(provider);
  const [min, max] = takes.temperature;
  const { temperature, messages } = request;
  if (temperature !== undefined && (temperature < min || temperature > max)) {
    yield { path: ['temperature'], says: `${label} takes a temperature from ${min} to ${max}` };
  }
  const last = messages.at(-1)?.role;
  if (takes.lastMessage === 'user' && last !== 'user' && last !== 'tool') {
    const says = `${label} takes no conversation that ends otherwise than with a message of role user or tool: add one`;
    yield { path: ['messages'], says, fixed: true };
  }
  for (const { feature, path } of usesOf(request)) {
    const isTaken = TAKEN[provider][feature] && (feature !== 'user' || takes.user?.test(request.user ?? ''));
    if (isTaken) continue;
    yield {
      path,
      says: `${label} does not take ${feature}`,
      ...(feature === 'tool_calls without tools' && { fixed: true }),
    };
  }
  if (takes.arguments === 'parsed') yield* changedArguments(request, label);
}

function* changedArguments({ messages }: CompletionRequest, label: string): Generator<Lack> {
  for (const [index, message] of messages.entries()) {
    const calls = message.role === 'assistant' ? (message.tool_calls ?? []) : [];
    for (const [at, call] of calls.entries()) {
      if (objectAsWritten(call.function.arguments) !== 'changed') continue;
      yield {
        path: ['messages', index, 'tool_calls', at, 'function', 'arguments'],
        says: `${label} takes arguments as values, which would not be these: they hold ${WHAT_PARSING_CHANGES}`,
        fixed: true,
      };
    }
  }
}

type Judged = {
  /** As it can be sent. */
  request: CompletionRequest;
  refusal: RequestError | null;
  warnings: Warning[];
};

export const judge = (request: CompletionRequest, { provider, names, onUnsupported }: Of): Judged => {
  const refuse = (lack: Lack): Judged => ({ request, refusal: refusalOf(lack, names), warnings: [] });
  const lacks: Lack[] = [];
  for (const lack of lacksOf(request, provider)) {
    if (onUnsupported === 'reject' || lack.fixed) return refuse(lack);
    // What stands in something that is left out goes with it.
    if (!lacks.some(({ path }) => isWithin(lack.path, path))) lacks.push(lack);
  }
  let left: unknown = request;
  // From the last to the first, so that places in lists stay what they are.
  for (const lack of lacks.toReversed()) {
    const next = without(left, lack.path);
    if (next === null) return refuse({ ...lack, fixed: true });
    left = next;
  }
  // A cast because nothing that a request must have was left out.
  return { request: left as CompletionRequest, refusal: null, warnings: warningsOf(lacks, names) };
};

const isWithin = (path: Path, outer: Path): boolean => outer.every((part, index) => part === path[index]);
