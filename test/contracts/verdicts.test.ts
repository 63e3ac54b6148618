/** Whom a failed call is blamed on, through the real SDKs: by what providers are known to answer, and for every status in every dress. */
import type { RequestListener } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ProviderAdapter } from '../../providers/call/provider.ts';
import { manifestOf } from '../../providers/catalogue.ts';
import type { CredentialKind } from '../../shared/domain/completion.ts';
import { FORMATS, type Format } from '../../shared/domain/formats.ts';
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

  const ask = async (how: RequestListener, format: Format = 'neutral'): Promise<Outcome> => {
    answer = how;
    const call = {
      userKey: vendor.userKey,
      traceparent: null,
      timeoutMs: 10_000,
      signal: new AbortController().signal,
    };
    return format === 'neutral'
      ? adapter.complete({
          ...call,
          request: { model: 'model-1', messages: [{ role: 'user', content: 'Hello.' }] },
        })
      : adapter.pass({
          ...call,
          request: { format, body: Buffer.from('{"model":"model-1"}'), headers: {} },
          events: null,
        });
  };
  /** A provider has the same errors for whatever it is called with. */
  const formats = FORMATS.filter((format) => format === 'neutral' || format in manifestOf(vendor.provider).formats);

  describe.each(formats)('in the words of %s', (format) =>
    test.each(VENDOR_ANSWERS.filter(({ provider }) => provider === vendor.provider))(
      '$status $body blames $blamed ($source)',
      async ({ status, headers = {}, body, blamed }) => {
        const outcome = await ask(json(status, body, headers), format);
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
    ),
  );

  // A 304 has no body.
  const STATUSES = Array.from({ length: 300 }, (_, index) => 300 + index).filter((status) => status !== 304);
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

  test('whatever its status, what is tried again is tried again no sooner than it asks for', async () => {
    for (const status of STATUSES) {
      const later = await ask(
        json(status, vendor.plainErrorBody('Later.'), { ...vendor.plainErrorHeaders, 'retry-after': '30' }),
      );
      const plain = await ask(json(status, vendor.plainErrorBody('Later.'), vendor.plainErrorHeaders));
      // Too large for now (RFC 9110, 15.5.14).
      const isTemporary = status === 413 || plain.kind !== 'rejected';
      expect([status, later.kind !== 'rejected']).toEqual([status, isTemporary]);
      if ('retryAfterMs' in later) expect([status, later.retryAfterMs]).toEqual([status, 30_000]);
    }
  });

  describe('x-should-retry', () => {
    const own = (status: number, wish: string): RequestListener =>
      json(status, vendor.plainErrorBody('Hm.'), { ...vendor.plainErrorHeaders, 'x-should-retry': wish });
    test.each(['false', 'False', ' FALSE '])('%j ends it, whatever the status', async (wish) => {
      for (const status of STATUSES) {
        const { kind } = await ask(own(status, wish));
        expect([status, kind]).toEqual([status, 'rejected']);
      }
      expect(await ask(own(429, wish))).toMatchObject({ code: 'provider_rejected_request', detail: 'Hm.' });
      expect(await ask(own(500, wish))).toMatchObject({ code: 'provider_unavailable', detail: 'Hm.' });
      const body = vendor.plainErrorBody('Hm.');
      const headers = { ...vendor.plainErrorHeaders, 'x-should-retry': wish, 'retry-after': '20' };
      expect(await ask(json(503, body, headers))).toMatchObject({ kind: 'rejected', code: 'provider_unavailable' });
    });
    test.each(['true', 'True'])('%j has what is final by its status alone tried again', async (wish) => {
      for (const status of STATUSES) {
        const { kind } = await ask(own(status, wish));
        expect([status, kind]).not.toEqual([status, 'rejected']);
      }
    });
    test('no page of somebody on the way can end it', async () => {
      for (const status of STATUSES) {
        const { kind } = await ask(json(status, {}, { 'x-should-retry': 'false' }));
        expect([status, kind]).toEqual([status, status === 429 ? 'throttled' : 'unavailable']);
      }
    });
    // All of them are known by more than their status.
    const known = VENDOR_ANSWERS.filter(({ blamed }) => blamed === 'the account’s money');
    test.each(known.filter(({ provider }) => provider === vendor.provider))(
      '"true" changes nothing about an error that is known: $body',
      async ({ status, headers = {}, body }) => {
        const wished = await ask(json(status, body, { ...headers, 'x-should-retry': 'true' }));
        expect(wished).toEqual(await ask(json(status, body, headers)));
        expect(wished).toMatchObject({ kind: 'rejected' });
      },
    );
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

type Inside = [body: unknown, blamed: Blamed, headers?: Record<string, string>];
const inOpenAI = (type: string | null, code: string | number | null, blamed: Blamed): Inside => [
  { error: { message: 'No.', type, param: null, code } },
  blamed,
];
const inAnthropic = (type: string, blamed: Blamed, error_code: string | null = null): Inside => [
  { type: 'error', error: { type, message: 'No.', details: { error_code } } },
  blamed,
];
const INSIDE: Record<string, Inside[]> = {
  openai: [
    inOpenAI('insufficient_quota', 'insufficient_quota', 'the account’s money'),
    inOpenAI('invalid_request_error', 'invalid_api_key', 'the key or its account'),
    inOpenAI('invalid_request_error', 'model_not_found', 'the request'),
    inOpenAI('invalid_request_error', null, 'the request'),
    inOpenAI('tokens', 'rate_limit_exceeded', 'the account’s rate'),
    inOpenAI('requests', null, 'the account’s rate'),
    inOpenAI('server_error', null, 'the provider, for now'),
    inOpenAI(null, null, 'the provider, for now'),
    inOpenAI('upstream_error', 401, 'the key or its account'),
    inOpenAI('upstream_error', 502, 'the provider, for now'),
  ],
  anthropic: [
    inAnthropic('overloaded_error', 'the provider, for now'),
    inAnthropic('rate_limit_error', 'the account’s rate'),
    inAnthropic('invalid_request_error', 'the request'),
    inAnthropic('request_too_large', 'the request'),
    inAnthropic('authentication_error', 'the key or its account'),
    inAnthropic('rate_limit_error', 'the account’s money', 'enforced_spend_limit_reached'),
    inAnthropic('new_error', 'the provider, for now'),
  ],
};

describe.each(VENDORS.filter(({ provider }) => INSIDE[provider]))('$provider: an error inside a 200', (vendor) => {
  const askAt = async (how: RequestListener): Promise<Outcome> => {
    const server = await startRawServer(how);
    const adapter = vendor.open(server.url + vendor.basePath);
    try {
      return await adapter.complete({
        request: { model: 'model-1', messages: [{ role: 'user', content: 'Hello.' }] },
        userKey: vendor.userKey,
        traceparent: null,
        timeoutMs: 10_000,
        signal: new AbortController().signal,
      });
    } finally {
      await adapter.close();
      await server.close();
    }
  };
  test.each(INSIDE[vendor.provider] ?? [])('%j blames %s, and nothing is billed', async (body, blamed) => {
    const { kind, ...codes } = TOLD[blamed];
    const expected = { kind, code: codes[vendor.credential], providerStatus: 200, billable: false, usage: null };
    expect(await askAt(json(200, body))).toMatchObject(expected);
    const later = await askAt(json(200, body, { 'retry-after': '30' }));
    if ('retryAfterMs' in later) expect(later.retryAfterMs).toBe(30_000);
  });
  test('one that used nothing was not paid for; one that used something was, and is not asked for again', async () => {
    const [body] = INSIDE[vendor.provider]?.[0] ?? [];
    const usageOf = (figure: number) =>
      vendor.provider === 'openai'
        ? { prompt_tokens: figure, completion_tokens: 0 }
        : { input_tokens: figure, output_tokens: 0 };
    const answerOf = (figure: number) => askAt(json(200, { ...(body as object), usage: usageOf(figure) }));
    expect(await answerOf(0)).toMatchObject({ billable: false, usage: { inputTokens: 0 } });
    expect(await answerOf(7)).toMatchObject({
      kind: 'rejected',
      code: 'provider_bad_response',
      billable: true,
      usage: { inputTokens: 7 },
    });
  });
});

test('every known answer has a source that can be read', () => {
  expect(VENDOR_ANSWERS.length).toBeGreaterThanOrEqual(40);
  for (const { source } of VENDOR_ANSWERS) expect(source).toMatch(/^https:\/\/|^@anthropic-ai\/sdk /);
});
