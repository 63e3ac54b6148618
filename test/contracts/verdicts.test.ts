/** Whom a failed call is blamed on, through the real SDKs: by what providers are known to answer, and for every status in every dress. */
import type { RequestListener } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ProviderAdapter } from '../../providers/call/provider.ts';
import type { CredentialKind } from '../../shared/domain/completion.ts';
import type { Outcome } from '../../shared/domain/outcome.ts';
import { json, type RawServer, startRawServer } from './raw-server.ts';
import { type Blamed, VENDOR_ANSWERS } from './vendor-answers.ts';
import { VENDORS } from './vendors.ts';

const TOLD = {
  'the key or its account': { kind: 'rejected', user: 'user_key_rejected', platform: 'platform_provider_error' },
  'the account’s money': { kind: 'rejected', user: 'user_key_quota_exhausted', platform: 'platform_provider_error' },
  'the request': { kind: 'rejected', user: 'provider_rejected_request', platform: 'provider_rejected_request' },
  'the gateway’s network': { kind: 'rejected', user: 'platform_provider_error', platform: 'platform_provider_error' },
  'the platform’s credentials, for now': { kind: 'unavailable', user: '', platform: 'platform_provider_error' },
  'the provider, for now': { kind: 'unavailable', user: 'provider_unavailable', platform: 'provider_unavailable' },
  'the provider, late': { kind: 'timed_out', user: 'provider_timeout', platform: 'provider_timeout' },
  'the account’s rate': { kind: 'throttled', user: 'provider_rate_limited', platform: 'provider_rate_limited' },
  'the provider’s load': { kind: 'throttled', user: 'provider_unavailable', platform: 'provider_unavailable' },
} as const satisfies Record<Blamed, { kind: Outcome['kind'] } & Record<CredentialKind, string>>;

describe.each(VENDORS)('$provider', (vendor) => {
  let answer: RequestListener;
  let server: RawServer;
  let adapter: ProviderAdapter;
  beforeAll(async () => {
    server = await startRawServer((request, response) => answer(request, response));
    adapter = vendor.open(server.url + vendor.basePath);
  });
  beforeEach(() => {
    server.received.length = 0;
  });
  afterAll(async () => {
    await adapter.close();
    await server.close();
  });

  const ask = async (how: RequestListener): Promise<Outcome> => {
    answer = how;
    return adapter.complete({
      request: { model: 'model-1', messages: [{ role: 'user', content: 'Hello.' }] },
      userKey: vendor.userKey,
      traceparent: null,
      timeoutMs: 10_000,
      signal: new AbortController().signal,
    });
  };

  test.each(VENDOR_ANSWERS.filter(({ provider }) => provider === vendor.provider))(
    '$status $body blames $blamed ($source)',
    async ({ status, headers = {}, body, blamed }) => {
      const outcome = await ask(json(status, body, headers));
      const { kind, ...codes } = TOLD[blamed];
      expect(outcome).toMatchObject({
        kind,
        code: codes[vendor.credential],
        providerStatus: status,
        billable: false,
        usage: null,
      });
      expect(server.received).toHaveLength(1);
      if (outcome.kind === 'throttled') {
        expect(outcome.cause).toBe(blamed === 'the provider’s load' ? 'overload' : 'limit');
        expect(outcome.retryAfterMs).toBe(headers['retry-after'] ? Number(headers['retry-after']) * 1_000 : null);
      }
      // The explanation reaches whoever asked, whoever is blamed.
      if (outcome.kind === 'rejected' || outcome.kind === 'throttled') {
        expect(JSON.stringify(body)).toContain(outcome.detail ?? 'no explanation');
      }
    },
  );

  // A 304 has no body, and a 101 changes the protocol.
  const STATUSES = Array.from({ length: 300 }, (_, index) => 300 + index);
  const text =
    (status: number, body: string, type: string): RequestListener =>
    (_request, response) => {
      response.writeHead(status, { 'content-type': type }).end(body);
    };
  const own = JSON.stringify(vendor.errorBody('Not now.'));
  const DRESSES: [string, (status: number) => RequestListener][] = [
    ['HTML', (status) => text(status, '<html><body>Access denied</body></html>', 'text/html')],
    ['HTML that says that it is JSON', (status) => text(status, '<html>Denied</html>', 'application/json')],
    ['nothing', (status) => text(status, '', 'text/plain')],
    ['plain text', (status) => text(status, 'error code: 1020', 'text/plain')],
    ['JSON of another form', (status) => json(status, { error: 'forbidden', message: 'Forbidden' })],
    ['a message without a type', (status) => json(status, { error: { message: 'Forbidden' } })],
    ['a status instead of a type', (status) => json(status, { error: { code: status, message: 'Forbidden' } })],
    ['problem details', (status) => json(status, { type: 'about:blank', title: 'Forbidden', status })],
    ['JSON that is no object', (status) => json(status, 'forbidden')],
    ['half of an error in its own form', (status) => text(status, own.slice(0, own.length / 2), 'application/json')],
  ];

  test.each(DRESSES)(
    'whatever its status, %s comes from somebody on the way: tried again, and nobody is blamed',
    async (_, dress) => {
      for (const status of STATUSES) {
        server.received.length = 0;
        const outcome = await ask(dress(status));
        expect(server.received).toHaveLength(1);
        // Whoever says that it gave up waiting says nothing of the provider, which may bill.
        const told = { usage: null, providerStatus: status, billable: [504, 524].includes(status) };
        if (status === 429) expect(outcome).toMatchObject({ ...told, kind: 'throttled', cause: 'limit', detail: null });
        else expect(outcome).toMatchObject({ ...told, kind: 'unavailable', code: 'provider_unavailable' });
      }
    },
  );

  test('whatever its status, an error in the provider’s own form has its verdict, with the explanation', async () => {
    for (const status of STATUSES) {
      const outcome = await ask(json(status, vendor.plainErrorBody('Not now.'), vendor.plainErrorHeaders));
      if (status >= 500) expect(outcome).toMatchObject({ kind: 'unavailable', code: 'provider_unavailable' });
      if (outcome.kind === 'rejected' || outcome.kind === 'throttled') expect(outcome.detail).toBe('Not now.');
      if (outcome.kind === 'rejected') expect(outcome.code).not.toMatch(/internal|bad_response/);
    }
  });

  test.each([503, 529])('a %i that names a pause is waited for, whoever sends it', async (status) => {
    const named = { 'retry-after': '20' };
    const overload = { kind: 'throttled', cause: 'overload', code: 'provider_unavailable', retryAfterMs: 20_000 };
    const body = vendor.plainErrorBody('Later.');
    expect(await ask(json(status, body, { ...vendor.plainErrorHeaders, ...named }))).toMatchObject({
      ...overload,
      detail: 'Later.',
    });
    expect(await ask(json(status, {}, named))).toMatchObject({ ...overload, detail: null });
    expect(await ask(json(status, body, vendor.plainErrorHeaders))).toMatchObject({ kind: 'unavailable' });
  });
});

test('every known answer has a source that can be read', () => {
  expect(VENDOR_ANSWERS.length).toBeGreaterThanOrEqual(40);
  for (const { source } of VENDOR_ANSWERS) expect(source).toMatch(/^https:\/\/|^@anthropic-ai\/sdk /);
});
