/** Every provider that a user may bring a key for, from the header to the ledger. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { USER_PROVIDERS, userManifestOf } from '../../../providers/catalogue.ts';
import { startGateway, type TestGateway, userKey } from '../../support/processes/gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway({ workers: 1, sandbox: { record: { limit: 100, keys: 'clear' } } });
});
afterAll(() => gateway.stop());

describe.each(USER_PROVIDERS)('%s', (provider) => {
  const { keys, model, takes } = userManifestOf(provider);
  const headers = userKey(keys.sample, provider);

  test('answers on the user’s key, with usage and a cost', async () => {
    const job = await gateway.submit('Hello!', { headers, fields: { model, max_tokens: 20 } });
    expect(await gateway.finished(job.id)).toMatchObject({
      status: 'completed',
      provider,
      credential: 'user',
      result: { finish_reason: 'length' },
      usage: { output_tokens: 20, cost_usd: expect.any(Number) },
    });
    expect(gateway.sandbox.calls.at(-1)).toMatchObject({ provider, key: keys.sample, model });
  });

  test('is asked with the most that it takes, and with no more', async () => {
    const max = takes.temperature[1];
    const job = await gateway.submit('Hot!', { headers, fields: { model: 'model-1', temperature: max } });
    expect(await gateway.finished(job.id)).toMatchObject({ status: 'completed' });
    if (max === 2) return;
    const calls = gateway.sandbox.calls.length;
    const answer = await gateway.call('POST', '/v1/complete', {
      headers,
      body: { model: 'model-1', messages: [{ role: 'user', content: 'Hotter!' }], temperature: max + 0.1 },
    });
    expect(answer).toMatchObject({
      status: 400,
      body: { error: { code: 'unsupported_by_provider', param: 'temperature' } },
    });
    expect(gateway.sandbox.calls).toHaveLength(calls);
  });
});
