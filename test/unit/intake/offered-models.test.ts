/** Which models a tenant is told of: no other than it may submit for. */
import { describe, expect, test } from 'vitest';
import { createJudgeModel } from '../../../api/intake/judge-model.ts';
import { createOfferedModels } from '../../../api/intake/offered-models.ts';
import { BODY_NAMES } from '../../../api/intake/support/names.ts';
import { PROVIDERS, type Provider } from '../../../providers/catalogue.ts';
import type { PriceFile } from '../../../shared/domain/prices/price-file.ts';
import { pricedModels } from '../../../shared/domain/prices/priced-models.ts';
import { createPrices } from '../../../shared/domain/prices/pricing.ts';
import { NO_LIMITS } from '../../support/redis/no-limits.ts';

const limits = { ...NO_LIMITS, requests_per_minute: 600, max_queued: 10, max_stored_bytes: 1e9 };
const file: PriceFile = {
  version: '0',
  models: (provider) => (provider === 'openai' ? ['own-model', 'gpt-4o'] : []),
  find: (provider, model) => (provider === 'openai' && model === 'own-model' ? { input: 1, output: 1 } : undefined),
};
const prices = createPrices(file);
const offeredWith = (platformModels: readonly string[] | null) => {
  const judgeModel = createJudgeModel(prices, platformModels);
  return { judgeModel, offered: createOfferedModels({ prices, priced: pricedModels(file), judgeModel }) };
};
const of = (provider: Provider, allowedModels: readonly string[] | null = null) => ({
  account: { provider, credential: provider === 'bedrock' ? ('platform' as const) : ('user' as const) },
  caller: { limits, allowedModels },
});
const ids = (provider: Provider, allowed: readonly string[] | null = null, platform: readonly string[] | null = null) =>
  offeredWith(platform)
    .offered.list(of(provider, allowed))
    .map(({ id }) => id);

describe.each(PROVIDERS)('%s', (provider) => {
  test('lists what is priced, each once, and under no name that only the list has', () => {
    const all = ids(provider);
    expect(all.length).toBeGreaterThan(10);
    expect(new Set(all).size).toBe(all.length);
    expect(all.filter((id) => /^regional\.|^ft:|\.ft-/.test(id))).toEqual([]);
  });

  test('whatever is listed or found may be submitted for', () => {
    const allowed = ['gpt-4o', 'claude-opus-4-8', 'amazon.nova-lite-v1:0', 'my/own:model'];
    for (const list of [null, allowed]) {
      for (const platform of [null, ['amazon.nova-lite-v1:0']]) {
        const { judgeModel, offered } = offeredWith(platform);
        const asked = of(provider, list);
        const all = offered.list(asked);
        for (const { id } of all) {
          expect(judgeModel.refusalOf(id, { ...asked, names: BODY_NAMES })).toBeNull();
          expect(offered.find(id, asked)?.id).toBe(id);
        }
        for (const id of [...allowed, 'gpt-4o-2024-08-06', 'nobody’s']) {
          if (judgeModel.refusalOf(id, { ...asked, names: BODY_NAMES }) !== null)
            expect(offered.find(id, asked)).toBeNull();
        }
      }
    }
  });
});

test('a tenant’s list is told of by provider, and a name that is nobody’s to all', () => {
  const allowed = ['gpt-4o', 'claude-opus-4-8', 'my/own:model', 'gpt-4o'];
  expect(ids('openai', allowed)).toEqual(['gpt-4o', 'my/own:model']);
  expect(ids('anthropic', allowed)).toEqual(['claude-opus-4-8', 'my/own:model']);
  expect(ids('groq', allowed)).toEqual(['my/own:model']);
  // Which has Claude too.
  expect(ids('bedrock', allowed)).toEqual(['claude-opus-4-8', 'my/own:model']);
});

test('the platform’s list is that of the configuration, unless the tenant has its own', () => {
  expect(ids('bedrock', null, ['amazon.nova-lite-v1:0'])).toEqual(['amazon.nova-lite-v1:0']);
  expect(ids('bedrock', ['my-model'], ['amazon.nova-lite-v1:0'])).toEqual(['my-model']);
  expect(ids('openai', null, ['amazon.nova-lite-v1:0'])).toContain('gpt-4o');
});

test('a dated name and the operator’s own are found, and what nobody knows is not', () => {
  const { offered } = offeredWith(null);
  expect(offered.find('gpt-4o-2024-08-06', of('openai'))?.id).toBe('gpt-4o-2024-08-06');
  expect(offered.find('own-model', of('openai'))?.id).toBe('own-model');
  expect(offered.find('own-model', of('groq'))).toBeNull();
  expect(offered.find('nobody’s', of('openai'))).toBeNull();
  expect(offered.find('claude-opus-4-8', of('anthropic'))).toMatchObject({
    name: expect.stringMatching(/^Claude Opus/),
  });
});
