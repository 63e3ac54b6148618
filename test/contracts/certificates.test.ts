import { createServer } from 'node:https';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { createAnthropicAdapter } from '../../providers/anthropic/adapter.ts';
import { createBedrockAdapter } from '../../providers/bedrock/adapter.ts';
import type { ProviderAdapter } from '../../providers/call/provider.ts';
import { createOpenAIAdapter } from '../../providers/openai/adapter.ts';
import { createKmsDataKeys } from '../../shared/keys/encryption/kms.ts';
import { KeyServiceUnavailable } from '../../shared/keys/encryption/seal.ts';
import { Secret } from '../../shared/keys/secret.ts';
import { createLog } from '../../shared/process/log.ts';
import { makeCertificate } from '../support/network/certificate.ts';
import { listen } from '../support/network/listen.ts';

let requests = 0;
/** Its certificate is its own word, for the right name. */
const server = createServer(makeCertificate(['localhost', '127.0.0.1']), (_request, response) => {
  requests += 1;
  response.end('{}');
});
let url = '';
beforeAll(async () => {
  url = `https://localhost:${await listen(server)}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  requests = 0;
  vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test-access-key');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test-secret-key');
});
afterEach(() => vi.unstubAllEnvs());

const adapters: [string, string | null, () => ProviderAdapter][] = [
  ['OpenAI', 'sk-user-0123456789', () => createOpenAIAdapter({ baseUrl: `${url}/v1` })],
  ['Anthropic', 'sk-ant-user-0123456789', () => createAnthropicAdapter({ baseUrl: url })],
  ['Bedrock', null, () => createBedrockAdapter({ baseUrl: url, region: 'us-east-1', auth: { kind: 'default_chain' } })],
];
test.each(adapters)(
  '%s is not called behind a certificate that nobody vouches for, and bills nothing',
  async (_, key, create) => {
    const adapter = create();
    const outcome = await adapter.complete({
      request: { model: 'model-1', messages: [{ role: 'user', content: 'Hello.' }] },
      userKey: key === null ? null : new Secret(key),
      traceparent: null,
      timeoutMs: 5_000,
      signal: new AbortController().signal,
    });
    await adapter.close();
    expect(outcome).toMatchObject({ kind: 'unavailable', code: 'provider_unavailable', billable: false });
    expect(requests).toBe(0);
  },
);

test('KMS is not asked behind one', async () => {
  const log = createLog({ level: 'silent', process: 'test' });
  const kms = createKmsDataKeys({ keyIds: ['k'], region: 'us-east-1', url, elapsed: () => performance.now(), log });
  await expect(kms.issue()).rejects.toThrow(KeyServiceUnavailable);
  kms.close();
  expect(requests).toBe(0);
});
