/** What every provider adapter guarantees, through its real SDK, against servers that speak the provider's wire format. */
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { ProviderAdapter, ProviderCall } from '../../providers/call/provider.ts';
import { createSandbox, type Sandbox } from '../../sandbox/server.ts';
import type { CompletionRequest } from '../../shared/domain/completion.ts';
import type { JobErrorCode } from '../../shared/domain/errors.ts';
import type { Outcome } from '../../shared/domain/outcome.ts';
import { parseTraceparent } from '../../shared/domain/traceparent.ts';
import { json, type RawServer, startRawServer } from './raw-server.ts';
import { fullRequest, VENDORS } from './vendors.ts';

const say = (content: string): CompletionRequest => ({ model: 'model-1', messages: [{ role: 'user', content }] });

type Refused = { kind: Outcome['kind']; user: JobErrorCode; platform: JobErrorCode };
const same = (kind: Outcome['kind'], code: JobErrorCode): Refused => ({ kind, user: code, platform: code });
const refusedKey: Refused = { kind: 'rejected', user: 'user_key_rejected', platform: 'platform_provider_error' };

const STATUSES: [number, Refused][] = [
  [302, same('unavailable', 'provider_unavailable')],
  [400, same('rejected', 'provider_rejected_request')],
  [401, refusedKey],
  [402, { kind: 'rejected', user: 'user_key_quota_exhausted', platform: 'platform_provider_error' }],
  [403, refusedKey],
  [404, same('rejected', 'provider_rejected_request')],
  [408, same('timed_out', 'provider_timeout')],
  [409, same('unavailable', 'provider_unavailable')],
  [413, same('rejected', 'provider_rejected_request')],
  [422, same('rejected', 'provider_rejected_request')],
  [429, same('throttled', 'provider_rate_limited')],
  [500, same('unavailable', 'provider_unavailable')],
  [502, same('unavailable', 'provider_unavailable')],
  [503, same('unavailable', 'provider_unavailable')],
  [504, same('unavailable', 'provider_unavailable')],
  [529, same('unavailable', 'provider_unavailable')],
];

const BROKEN_ANSWERS = ['cut', 'html', 'bad-json', 'empty'];

describe.each(VENDORS)('$provider', (vendor) => {
  let sandbox: Sandbox;
  let adapter: ProviderAdapter;
  const servers: RawServer[] = [];

  beforeAll(async () => {
    sandbox = await createSandbox({ delayMs: 0, acceptAnyKey: true, record: { limit: 1_000, keys: 'clear' } });
    adapter = vendor.open(sandbox.providerUrls[vendor.provider]);
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await Promise.all(servers.splice(0).map((server) => server.close()));
  });
  afterAll(async () => {
    await adapter.close();
    await sandbox.close();
  });

  const callOf = (request: CompletionRequest, more: Partial<ProviderCall> = {}): ProviderCall => ({
    request,
    userKey: vendor.userKey,
    traceparent: null,
    timeoutMs: 10_000,
    signal: new AbortController().signal,
    ...more,
  });

  /** One call to the sandbox, which must have seen exactly one request. */
  const ask = async (request: CompletionRequest, more: Partial<ProviderCall> = {}) => {
    const before = sandbox.calls.length;
    const outcome = await adapter.complete(callOf(request, more));
    const seen = sandbox.calls.slice(before);
    expect(seen).toHaveLength(1);
    return { outcome, seen: seen[0] };
  };

  /** One call to a server of its own. */
  const askRaw = async (answer: Parameters<typeof startRawServer>[0], more: Partial<ProviderCall> = {}) => {
    const server = await startRawServer(answer);
    servers.push(server);
    const other = vendor.open(server.url + vendor.basePath);
    try {
      const outcome = await other.complete(callOf(say('Hello.'), more));
      return { outcome, received: server.received };
    } finally {
      await other.close();
    }
  };

  const expectNoPartOfKey = (outcome: Outcome): void => {
    const printed = JSON.stringify(outcome);
    for (let at = 0; at + 6 <= vendor.canary.length; at++) {
      expect(printed).not.toContain(vendor.canary.slice(at, at + 6));
    }
  };

  test('the trace goes along in the request’s header, and there is none where there is no trace', async () => {
    const traceparent = parseTraceparent('00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01');
    const traced = await askRaw(json(503, vendor.errorBody('Not now.')), { traceparent });
    expect(traced.received.map(({ headers }) => headers.traceparent)).toEqual([traceparent]);
    const untraced = await askRaw(json(503, vendor.errorBody('Not now.')));
    expect(untraced.received.map(({ headers }) => headers.traceparent)).toEqual([undefined]);
  });

  test('a full request arrives in the provider’s form, and its answer comes back whole', async () => {
    const { outcome, seen } = await ask({ model: 'model-1', ...fullRequest });
    await vi.waitFor(() => expect(seen?.finishedAt).not.toBeNull());
    expect(seen).toMatchObject({ model: 'model-1', body: vendor.fullBody, completed: true, aborted: false });
    expect(outcome).toEqual({
      kind: 'completed',
      result: { role: 'assistant', content: expect.stringContaining('sandbox'), finish_reason: 'length' },
      usage: { inputTokens: expect.any(Number), outputTokens: 20, cachedInputTokens: 0, cacheWriteTokens: 0 },
      billable: true,
      providerRequestId: expect.stringMatching(/^req_sandbox_/),
    });
  });

  test('an answer without text is taken back as a part of the conversation, and no empty text goes where it is refused', async () => {
    const { outcome, seen } = await ask({
      model: 'model-1',
      messages: [
        { role: 'user', content: 'Hello.' },
        { role: 'assistant', content: '' },
        { role: 'user', content: 'Go on.' },
      ],
    });
    expect(outcome).toMatchObject({ kind: 'completed' });
    const sent = JSON.stringify(seen?.body);
    expect(sent).toContain('Go on.');
    // OpenAI takes it (https://platform.openai.com/docs/api-reference/chat/create).
    if (vendor.provider !== 'openai') expect(sent).not.toMatch(/:""/);
  });

  test('a request with nothing but messages is complete', async () => {
    const { outcome } = await ask(say('Hello.'));
    expect(outcome).toMatchObject({ kind: 'completed', result: { finish_reason: 'stop' } });
  });

  test('the credential arrives exactly as given', async () => {
    expect((await ask(say('Hello.'))).seen?.key).toBe(vendor.credentialSent);
  });

  test.each(['stop', 'length', 'content_filter', 'other'])('the finish reason %s is told as such', async (finish) => {
    const { outcome } = await ask(say(`sandbox:finish=${finish}`));
    expect(outcome).toMatchObject({ kind: 'completed', result: { finish_reason: finish } });
  });

  test('input tokens include those read from and written to a cache', async () => {
    const plain = (await ask(say('sandbox:cached=000 cache-written=00'))).outcome.usage;
    const cached = (await ask(say('sandbox:cached=100 cache-written=50'))).outcome.usage;
    expect(cached).toEqual({
      ...plain,
      inputTokens: (plain?.inputTokens ?? 0) + 150,
      cachedInputTokens: 100,
      cacheWriteTokens: 50,
    });
  });

  test('a figure that no call can have had is unknown, and so is what it is part of; the others are kept', async () => {
    const usage = {
      inputTokens: null,
      outputTokens: expect.any(Number),
      cachedInputTokens: null,
      cacheWriteTokens: 0,
    };
    expect((await ask(say('sandbox:cached=9000000000'))).outcome).toMatchObject({ kind: 'completed', usage });
  });

  test('an answer without usage is completed, with usage unknown', async () => {
    expect((await ask(say('sandbox:fail=no-usage'))).outcome).toMatchObject({ kind: 'completed', usage: null });
  });

  test.each(STATUSES)('status %i has its outcome, after exactly one request', async (status, expected) => {
    const { outcome } = await ask(say(`sandbox:status=${status}`));
    expect(outcome).toMatchObject({
      kind: expected.kind,
      code: expected[vendor.credential],
      usage: null,
      // After a 504 the provider may work on.
      billable: status === 504,
      providerRequestId: expect.stringMatching(/^req_sandbox_/),
      providerStatus: status,
    });
    expectNoPartOfKey(outcome);
  });

  test('a refused request is told with the provider’s explanation', async () => {
    const { outcome } = await ask(say('sandbox:status=400'));
    expect(outcome).toMatchObject({ detail: 'The sandbox was told to answer with status 400.' });
  });

  test.each([401, 402, 403, 404, 413, 422, 429])('so is every other refusal, such as a %i', async (status) => {
    const { outcome } = await ask(say(`sandbox:status=${status}`));
    expect(outcome).toMatchObject({ detail: `The sandbox was told to answer with status ${status}.` });
  });

  test('a rate limit carries the provider’s wish in milliseconds', async () => {
    expect((await ask(say('sandbox:status=429 retry-after=7'))).outcome).toMatchObject({ retryAfterMs: 7_000 });
    expect((await ask(say('sandbox:status=429'))).outcome).toMatchObject({ retryAfterMs: null });
  });

  test('a rate limit until a date carries the time that is left', async () => {
    const date = new Date(Date.now() + 60_000).toUTCString();
    const { outcome } = await askRaw(json(429, vendor.errorBody('Slow down.'), { 'retry-after': date }));
    const left = outcome.kind === 'throttled' ? outcome.retryAfterMs : null;
    expect(left).toBeGreaterThan(50_000);
    expect(left).toBeLessThanOrEqual(60_000);
  });

  test('an account without credit is not taken for a rate limit or a wrong request', async () => {
    const code = vendor.credential === 'user' ? 'user_key_quota_exhausted' : 'platform_provider_error';
    expect((await ask(say('sandbox:fail=quota'))).outcome).toMatchObject({
      kind: 'rejected',
      code,
      detail: expect.stringMatching(/quota|credit/),
    });
  });

  test.each(BROKEN_ANSWERS)('a 200 that is broken (%s) is a bad response, and may be billed', async (failure) => {
    const { outcome } = await ask(say(`sandbox:fail=${failure}`));
    expect(outcome).toMatchObject({
      kind: 'unavailable',
      code: 'provider_bad_response',
      providerStatus: 200,
      billable: true,
    });
    expectNoPartOfKey(outcome);
  });

  test('an answer that is JSON is delivered, whatever its Content-Type says', async () => {
    const { outcome } = await askRaw((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain' }).end(JSON.stringify(vendor.answerBody('Hi.')));
    });
    expect(outcome).toMatchObject({ kind: 'completed', result: { content: 'Hi.' }, usage: { outputTokens: 2 } });
  });

  test('an answer that is longer than any completion is not asked for again', async () => {
    const { outcome } = await askRaw(json(200, vendor.answerBody('long '.repeat(7_000_000))));
    expect(outcome).toMatchObject({
      kind: 'rejected',
      code: 'provider_bad_response',
      providerStatus: 200,
      billable: true,
      usage: null,
    });
  });

  test('usage that came with an error inside a 200 is kept, and the call is not paid for again', async () => {
    const usage = {
      inputTokens: expect.any(Number),
      outputTokens: expect.any(Number),
      cachedInputTokens: 0,
      cacheWriteTokens: 0,
    };
    const { outcome } = await ask(say('sandbox:fail=error-in-200'));
    expect(outcome).toMatchObject({ kind: 'rejected', code: 'provider_bad_response', billable: true });
    expect(outcome.usage).toEqual(usage);
  });

  test('a page of a proxy that echoes the request’s headers passes nothing on', async () => {
    const { outcome } = await ask(say('sandbox:fail=html status=502'));
    expect(outcome).toMatchObject({
      kind: 'unavailable',
      code: 'provider_unavailable',
      providerStatus: 502,
      billable: false,
    });
    expectNoPartOfKey(outcome);
  });

  test('a provider that repeats the key in its message and request id gets neither through', async () => {
    const { outcome } = await askRaw((request, response) => {
      const echo = JSON.stringify(request.headers) + vendor.canary;
      const headers = { ...vendor.errorHeaders, [vendor.requestIdHeader]: vendor.canary };
      json(
        400,
        vendor.errorBody(`You sent ${echo}.`),
        vendor.userKey ? headers : vendor.errorHeaders,
      )(request, response);
    });
    expect(outcome).toMatchObject({ kind: 'rejected', code: 'provider_rejected_request', providerRequestId: null });
    expectNoPartOfKey(outcome);
  });

  test('a reset connection means unavailable, and may be billed', async () => {
    const { outcome } = await ask(say('sandbox:fail=reset'));
    const unavailable = { kind: 'unavailable', code: 'provider_unavailable', providerStatus: null };
    expect(outcome).toMatchObject({ ...unavailable, billable: true });
  });

  test.each(['http://provider.invalid', 'http://127.0.0.1:65533'])(
    'a provider that cannot be reached (%s) means unavailable, and bills nothing',
    async (url) => {
      const other = vendor.open(url + vendor.basePath);
      const outcome = await other.complete(callOf(say('Hello.')));
      const unavailable = { kind: 'unavailable', code: 'provider_unavailable', providerStatus: null };
      expect(outcome).toMatchObject({ ...unavailable, billable: false });
      await other.close();
    },
  );

  test.each(['hang', 'stall'])(
    'the time limit covers the whole answer (%s), and the socket is closed',
    async (failure) => {
      const { outcome, seen } = await ask(say(`sandbox:fail=${failure}`), { timeoutMs: 200 });
      expect(outcome).toMatchObject({ kind: 'timed_out', code: 'provider_timeout', billable: true });
      await vi.waitFor(() => expect(seen?.aborted).toBe(true));
    },
  );

  test.each(['hang', 'stall'])(
    'an abort during the call (%s) means cancelled, and the socket is closed',
    async (failure) => {
      const before = sandbox.calls.length;
      const abort = new AbortController();
      const running = adapter.complete(callOf(say(`sandbox:fail=${failure}`), { signal: abort.signal }));
      await vi.waitFor(() => expect(sandbox.calls).toHaveLength(before + 1));
      abort.abort();
      expect(await running).toMatchObject({ kind: 'cancelled', usage: null, billable: true });
      await vi.waitFor(() => expect(sandbox.calls.at(-1)?.aborted).toBe(true));
    },
  );

  test('a call that is aborted before it starts reaches nobody', async () => {
    const before = sandbox.calls.length;
    const outcome = await adapter.complete(callOf(say('Hello.'), { signal: AbortSignal.abort() }));
    expect(outcome).toEqual({ kind: 'cancelled', usage: null, billable: false, providerRequestId: null });
    expect(sandbox.calls).toHaveLength(before);
  });

  test('a redirect is not followed, so the credential goes nowhere else', async () => {
    const elsewhere = await startRawServer(json(200, {}));
    servers.push(elsewhere);
    const { outcome, received } = await askRaw((_request, response) => {
      response.writeHead(307, { location: `${elsewhere.url}/elsewhere` }).end();
    });
    expect(outcome).toMatchObject({ kind: 'unavailable', code: 'provider_unavailable' });
    expect(received).toHaveLength(1);
    expect(elsewhere.received).toHaveLength(0);
  });

  test('a call with a credential that is not the adapter’s is refused before the network', async () => {
    const before = sandbox.calls.length;
    const outcome = await adapter.complete(callOf(say('Hello.'), { userKey: vendor.wrongKey }));
    expect(outcome).toMatchObject({ kind: 'rejected', code: 'internal_error', providerStatus: null });
    expect(sandbox.calls).toHaveLength(before);
  });

  test('variables that the SDK obeys change neither address, credential, headers nor retries', async () => {
    const trap = await startRawServer(json(200, {}));
    servers.push(trap);
    for (const [name, value] of Object.entries(vendor.environment)) {
      vi.stubEnv(name, value.replace('TRAP', trap.url));
    }
    const { received } = await askRaw(json(503, vendor.errorBody('Not now.')));
    expect(trap.received).toHaveLength(0);
    expect(received).toHaveLength(1);
    const printed = JSON.stringify(received[0]?.headers);
    expect(printed).toContain(vendor.credentialSent);
    expect(printed).not.toMatch(/other|someone/i);
  });

  test('a hundred calls run at once', async () => {
    const before = sandbox.calls.length;
    const abort = new AbortController();
    const running = Array.from({ length: 100 }, () =>
      adapter.complete(callOf(say('sandbox:fail=hang'), { signal: abort.signal })),
    );
    await vi.waitFor(() => expect(sandbox.calls).toHaveLength(before + 100), { timeout: 5_000 });
    abort.abort();
    expect((await Promise.all(running)).every(({ kind }) => kind === 'cancelled')).toBe(true);
  });
});
