/** What a provider does not take is refused here, before it is accepted: it is neither dropped nor bent into something else. */
import { manifestOf, type Provider } from '../../providers/catalogue.ts';
import type { CompletionRequest } from '../../shared/domain/completion.ts';
import { RequestError } from '../../shared/domain/errors.ts';

/** Null if nothing of the request is known to be refused. `place` is what stands before a field's name in `param`. */
export const unsupported = (
  { temperature, messages }: Pick<CompletionRequest, 'temperature' | 'messages'>,
  provider: Provider,
  place: '' | 'body.',
): RequestError | null => {
  const { label, takes } = manifestOf(provider);
  const refuse = (field: string, message: string): RequestError =>
    new RequestError('unsupported_by_provider', { param: place + field, message: `${label} ${message}` });
  const [min, max] = takes.temperature;
  if (temperature !== undefined && (temperature < min || temperature > max)) {
    return refuse('temperature', `takes a temperature from ${min} to ${max}: send one within it, or none.`);
  }
  if (takes.lastMessage === 'user' && messages.at(-1)?.role !== 'user') {
    return refuse('messages', 'takes no conversation that ends otherwise than with a message of role user: add one.');
  }
  return null;
};
