import { expect, test } from 'vitest';
import { createEstimateJob } from '../../../api/intake/estimate-job.ts';
import { createJudgeModel } from '../../../api/intake/judge-model.ts';
import { BODY_NAMES, LINE_NAMES } from '../../../api/intake/support/names.ts';
import { manifestOf } from '../../../providers/catalogue.ts';
import type { CompletionRequest } from '../../../shared/domain/completion.ts';
import { createPrices } from '../../../shared/domain/prices/pricing.ts';
import { NO_LIMITS } from '../../support/redis/no-limits.ts';

const HELLO = { role: 'user' as const, content: 'Hello!' };
const limits = { ...NO_LIMITS, requests_per_minute: 600, max_queued: 10, max_stored_bytes: 1e9 };
const estimate = createEstimateJob(createJudgeModel(createPrices(null), ['model-a']));
const refusalOf = (model: string, credential: 'platform' | 'user', allowedModels: readonly string[] | null) =>
  estimate(
    { model, messages: [{ role: 'user', content: 'Hello!' }] },
    {
      account: { provider: credential === 'user' ? 'openai' : 'bedrock', credential },
      caller: { limits, allowedModels },
      names: BODY_NAMES,
    },
  ).refusal;

test.each([
  ['anthropic', 'temperature', { temperature: 1.1 }, /^Anthropic takes a temperature from 0 to 1:/],
  ['bedrock', 'temperature', { temperature: 2 }, /^AWS Bedrock takes a temperature from 0 to 1:/],
  ['mistral', 'temperature', { temperature: 1.6 }, /^Mistral takes a temperature from 0 to 1.5:/],
  [
    'mistral',
    'messages',
    { messages: [HELLO, { role: 'assistant' as const, content: 'So' }] },
    /role user or tool: add one/,
  ],
  ['openai', null, { temperature: 2 }, null],
  ['gemini', null, { temperature: 2 }, null],
  ['mistral', null, { temperature: 1.5 }, null],
  ['groq', null, { messages: [HELLO, { role: 'assistant' as const, content: 'So' }] }, null],
] as const)('%s and its %s of %o', (provider, field, more, message) => {
  const account = { provider, credential: manifestOf(provider).account };
  const of = { account, caller: { limits, allowedModels: ['m'] } };
  const request = { model: 'm', messages: [HELLO], ...more } as CompletionRequest;
  for (const [place, names] of [
    ['', BODY_NAMES],
    ['body.', LINE_NAMES],
  ] as const) {
    const { refusal } = estimate(request, { ...of, names });
    if (field === null) expect(refusal).toBeNull();
    else {
      expect(refusal).toMatchObject({ code: 'unsupported_by_provider', param: place + field });
      expect(refusal?.message).toMatch(message ?? '');
    }
  }
});

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
