import { expect, test } from 'vitest';
import { createEstimateJob } from '../../../api/intake/estimate-job.ts';
import { createPrices } from '../../../shared/domain/prices/pricing.ts';
import { NO_LIMITS } from '../../support/redis/no-limits.ts';

const limits = { ...NO_LIMITS, requests_per_minute: 600, max_queued: 10, max_stored_bytes: 1e9 };
const estimate = createEstimateJob(createPrices(null), ['model-a']);
const refusalOf = (model: string, credential: 'platform' | 'user', allowedModels: readonly string[] | null) =>
  estimate(
    { model, messages: [{ role: 'user', content: 'Hello!' }] },
    {
      account: { provider: credential === 'user' ? 'openai' : 'bedrock', credential },
      caller: { limits, allowedModels },
      param: 'model',
    },
  ).refusal;

test.each([
  ['the platform’s account runs what the operator named', 'model-a', 'platform', null, null],
  ['and nothing else', 'model-b', 'platform', null, /allowed are model-a/],
  ['but for a tenant with a list of its own, which holds in its place', 'model-b', 'platform', ['model-b'], null],
  ['in both directions', 'model-a', 'platform', ['model-b'], /allowed are model-b/],
  ['users’ keys run whatever their provider has', 'model-b', 'user', null, null],
  ['within the list of the tenant', 'model-a', 'user', ['model-b'], /allowed are model-b/],
] as const)('%s', (_, model, credential, allowed, message) => {
  const refusal = refusalOf(model, credential, allowed);
  if (message === null) expect(refusal).toBeNull();
  else expect(refusal).toMatchObject({ code: 'model_not_allowed', message: expect.stringMatching(message) });
});
