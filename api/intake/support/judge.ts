/** What a provider does not take is refused before it is accepted, or left out with a warning: it is neither dropped in silence nor bent into something else. */
import { manifestOf, type Provider, perProvider } from '../../../providers/catalogue.ts';
import { featuresOf } from '../../../providers/features.ts';
import type { CompletionRequest } from '../../../shared/domain/completion.ts';
import { RequestError } from '../../../shared/domain/errors.ts';
import type { Warning } from '../../../shared/domain/jobs/schema.ts';
import { objectAsWritten } from '../../../shared/domain/json/as-written.ts';
import { pathText } from '../../../shared/domain/wording/explain-issue.ts';
import { usesOf } from './uses.ts';
import { type Path, without } from './without.ts';

/** `warn` leaves out what can be left out. */
export type OnUnsupported = 'reject' | 'warn';

type Of = {
  provider: Provider;
  /** What stands before a field's name in `param`. */
  place: '' | 'body.';
  onUnsupported: OnUnsupported;
};

const TAKEN = perProvider((provider) => featuresOf(manifestOf(provider).takes));

/** `says` is a sentence without its end. `fixed`: there is nothing to leave out. */
type Lack = { path: Path; says: string; fixed?: true };

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
        says: `${label} takes arguments as values, which would not be these: they hold a number that is not kept exactly, a name twice, or names that are whole numbers and not in their order`,
        fixed: true,
      };
    }
  }
}

/** One warning for each thing, however often it stands there. */
const warningsOf = (lacks: readonly Lack[], place: Of['place']): Warning[] =>
  [...Map.groupBy(lacks, ({ says }) => says)].map(([says, [first, ...others]]) => ({
    param: place + pathText(first?.path ?? []),
    reason: `${says}; it was left out${others.length > 0 ? `, here and in ${others.length} more places` : ''}.`,
  }));

type Judged = {
  /** As it can be sent. */
  request: CompletionRequest;
  refusal: RequestError | null;
  warnings: Warning[];
};

export const judge = (request: CompletionRequest, { provider, place, onUnsupported }: Of): Judged => {
  const refuse = ({ path, says, fixed }: Lack): Judged => {
    const advice = fixed ? '' : ': leave it out, or have it left out by on_unsupported: "warn"';
    const refusal = new RequestError('unsupported_by_provider', {
      param: place + pathText(path),
      message: `${says}${advice}.`,
    });
    return { request, refusal, warnings: [] };
  };
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
  return { request: left as CompletionRequest, refusal: null, warnings: warningsOf(lacks, place) };
};

const isWithin = (path: Path, outer: Path): boolean => outer.every((part, index) => part === path[index]);
