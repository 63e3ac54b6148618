/** What the real providers refuse and their wires would not notice: a program that works here shall work there. */

import { manifestOf } from '../providers/catalogue.ts';
import { type Ask, Refusal, type Wire } from '../providers/stand-in/wire.ts';
import { createPrices } from '../shared/domain/prices/pricing.ts';

/** Names that begin so are models of every provider: for tests. */
const MADE_UP = /^model-/;

const prices = createPrices(null);
const NOTHING = { inputTokens: 0, outputTokens: 0, cachedInputTokens: 0, cacheWriteTokens: 0 };

const isKnown = ({ provider, demands: { ownModels } }: Wire, model: string): boolean =>
  MADE_UP.test(model) || ownModels?.test(model) || prices.of(provider, model, NOTHING).costNano !== null;

/** Throws a `Refusal` where the real provider would refuse the request for its model or a value. */
export const demandWhatIsReal = (wire: Wire, { model, temperature, maxTokens }: Ask): void => {
  const { demands } = wire;
  if (!isKnown(wire, model)) throw demands.noSuchModel(model);
  const limits = demands.limits.filter(({ models }) => models.test(model));
  const range = limits.find((limit) => limit.temperature)?.temperature ?? manifestOf(wire.provider).takes.temperature;
  if (temperature !== null && (temperature < range[0] || temperature > range[1])) {
    throw new Refusal(400, demands.temperature(temperature, range));
  }
  const max = limits.find((limit) => limit.maxTokens)?.maxTokens;
  if (max !== undefined && maxTokens !== null && maxTokens > max) {
    throw new Refusal(400, demands.maxTokens(maxTokens, max, model));
  }
};
