/** Failures as SDKs raise them: by class, status, type and code, and after one request each. */
import { describe, expect, test } from 'vitest';
import type { PlannedAnswer } from '../support/network/recording-provider.ts';
import { helloAfter } from './stage/answers.ts';
import { ANTHROPIC_SDKS, anthropicOf, OPENAI_SDKS, openaiOf } from './stage/clients.ts';
import type { TestUser } from './stage/stage.ts';
import { useStage } from './stage/use-stage.ts';

// One attempt: what is shown here is what a failed call becomes.
const stage = useStage({ MAX_WAIT_SECONDS: '20', MAX_ATTEMPTS: '1', MAX_BODY_BYTES: '1000000' });
const MESSAGES = [{ role: 'user' as const, content: 'Hello' }];
const CHAT = { model: 'gpt-4o-mini', messages: MESSAGES };
const MESSAGE = { model: 'claude-opus-4-8', max_tokens: 10, messages: MESSAGES };
const LIMIT = { 'retry-after': '300' };

type Row = {
  when: string;
  /** Null: none in time. */
  answer: PlannedAnswer | null;
  headers?: Record<string, string>;
  status: number;
  code: string;
};

const rejected = (status: number, body: object): Row => ({
  when: `its provider answers ${status}`,
  answer: { status, body: JSON.stringify(body) },
  status,
  code: 'provider_rejected_request',
});
/** Of both vendors; `error` is the body of an error in a vendor's form. */
const rowsOf = (error: (type: string, code?: string) => object, unavailable: number): Row[] => [
  ...[400, 404, 413, 422].map((status) => rejected(status, error('invalid_request_error'))),
  {
    when: 'the user’s key is refused',
    answer: { status: 401, body: JSON.stringify(error('authentication_error', 'invalid_api_key')) },
    status: 401,
    code: 'user_key_rejected',
  },
  {
    when: 'a limit outlasts the deadline',
    answer: { status: 429, headers: LIMIT, body: JSON.stringify(error('rate_limit_error', 'rate_limit_exceeded')) },
    headers: { 'X-Gateway-Deadline-Seconds': '5' },
    status: 429,
    code: 'provider_rate_limited',
  },
  ...[500, unavailable].map((status) => ({
    when: `its provider answers ${status}`,
    answer: { status, body: JSON.stringify(error('server_error')) },
    status: 502,
    code: 'provider_unavailable',
  })),
  {
    when: 'a page of HTML comes',
    answer: { body: '<html>', headers: { 'content-type': 'text/html' } },
    status: 502,
    code: 'provider_bad_response',
  },
  {
    when: 'nothing comes in time',
    answer: null,
    headers: { 'X-Gateway-Timeout-Seconds': '1' },
    status: 504,
    code: 'provider_timeout',
  },
];

const message = 'The provider says no.';
const openaiError = (type: string, code?: string) => ({ error: { message, type, param: null, code: code ?? null } });
const OPENAI_ROWS: Row[] = [
  ...rowsOf(openaiError, 503),
  {
    when: 'the user’s account is empty',
    answer: { status: 429, body: JSON.stringify(openaiError('insufficient_quota', 'insufficient_quota')) },
    status: 402,
    code: 'user_key_quota_exhausted',
  },
];
const anthropicError = (type: string) => ({ type: 'error', error: { type, message } });
const ANTHROPIC_ROWS: Row[] = [
  ...rowsOf(anthropicError, 529),
  {
    when: 'the user’s account is empty',
    answer: { status: 402, body: JSON.stringify(anthropicError('billing_error')) },
    status: 402,
    code: 'user_key_quota_exhausted',
  },
];

/** What the SDKs raise for a status, and the type in the error that they raise. */
const OPENAI_RAISES: Record<number, [`${string}Error`, string]> = {
  400: ['BadRequestError', 'invalid_request_error'],
  401: ['AuthenticationError', 'authentication_error'],
  402: ['APIError', 'insufficient_quota'],
  404: ['NotFoundError', 'invalid_request_error'],
  413: ['APIError', 'invalid_request_error'],
  422: ['UnprocessableEntityError', 'invalid_request_error'],
  429: ['RateLimitError', 'rate_limit_error'],
  502: ['InternalServerError', 'server_error'],
  504: ['InternalServerError', 'server_error'],
};
const ANTHROPIC_RAISES: typeof OPENAI_RAISES = {
  400: ['BadRequestError', 'invalid_request_error'],
  401: ['AuthenticationError', 'authentication_error'],
  402: ['PaymentRequiredError', 'billing_error'],
  404: ['NotFoundError', 'not_found_error'],
  413: ['ContentTooLargeError', 'request_too_large'],
  422: ['UnprocessableEntityError', 'invalid_request_error'],
  429: ['RateLimitError', 'rate_limit_error'],
  502: ['InternalServerError', 'api_error'],
  504: ['GatewayTimeoutError', 'timeout_error'],
};

const nameOf = (error: unknown): string | null => (error instanceof Error ? error.constructor.name : null);
/** Of a body that is refused while it is still being sent. */
const TOO_LARGE = [{ role: 'user' as const, content: 'x'.repeat(8_000_000) }];

const caught = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error);
const plan = (user: TestUser, { answer }: Row): void =>
  user.answers(answer === null ? helloAfter(5_000) : () => answer);

/** That one request made one job, that both failed for this reason, and that the SDK was told to leave it at that. */
const expectFailure = async (user: TestUser, error: unknown, { status, code }: Row): Promise<void> => {
  expect(error).toMatchObject({ status, requestID: expect.stringMatching(/^req_/) });
  expect(user.exchanges).toHaveLength(1);
  const [job, ...others] = await user.jobs();
  expect(others).toEqual([]);
  expect(job).toMatchObject({ status: 'failed', error: { code } });
  expect(user.exchanges[0]?.answer?.headers).toMatchObject({
    'x-should-retry': 'false',
    'x-gateway-job-id': job?.id,
  });
  expect(JSON.stringify((error as { error: unknown }).error)).toContain(`"job_id":"${job?.id}"`);
};

describe.concurrent.each(OPENAI_SDKS)('%s', (_, Sdk) => {
  test.each(OPENAI_ROWS)('oa-status: $status $code is raised once if $when', async (row) => {
    const user = await stage.user();
    plan(user, row);
    const error = await caught(openaiOf(user, Sdk, row.headers).chat.completions.create(CHAT));
    const [name, type] = OPENAI_RAISES[row.status] ?? [];
    expect(nameOf(error)).toBe(name);
    expect(error).toMatchObject({ code: row.code, type });
    await expectFailure(user, error, row);
  });

  test('oa-413: a body that is too large is told as such, though it is not read to its end', async () => {
    const user = { ...(await stage.user()), url: stage.gateway().apis[0]?.url ?? '' };
    const error = await caught(openaiOf(user, Sdk).chat.completions.create({ ...CHAT, messages: TOO_LARGE }));
    expect(error).toMatchObject({ status: 413, code: 'body_too_large', type: 'invalid_request_error' });
  });

  test('oa-wrong-key: a platform key that is none is an AuthenticationError with the id of the request', async () => {
    const user = await stage.user();
    const error = await caught(
      openaiOf({ ...user, platformKey: 'nobody-0123456789abcdef' }, Sdk).chat.completions.create(CHAT),
    );
    expect(error).toBeInstanceOf(Sdk.AuthenticationError);
    expect(error).toMatchObject({ code: 'invalid_api_key', requestID: expect.stringMatching(/^req_/) });
    expect(user.exchanges).toHaveLength(1);
  });
});

describe.concurrent.each(ANTHROPIC_SDKS)('%s', (_, Sdk) => {
  test.each(ANTHROPIC_ROWS)('an-errors: $status $code is raised once if $when', async (row) => {
    const user = await stage.user();
    plan(user, row);
    const error = await caught(anthropicOf(user, Sdk, row.headers).messages.create(MESSAGE));
    const [name, type] = ANTHROPIC_RAISES[row.status] ?? [];
    expect(nameOf(error)).toBe(name);
    expect(error).toMatchObject({ type, error: { error: { code: row.code } } });
    await expectFailure(user, error, row);
  });

  test('an-413: a body that is too large is told as such, though it is not read to its end', async () => {
    const user = { ...(await stage.user()), url: stage.gateway().apis[0]?.url ?? '' };
    const error = await caught(anthropicOf(user, Sdk).messages.create({ ...MESSAGE, messages: TOO_LARGE }));
    expect(nameOf(error)).toBe('ContentTooLargeError');
    expect(error).toMatchObject({ status: 413, type: 'request_too_large' });
  });

  test('an-wrong-key: a platform key that is none is an AuthenticationError with the id of the request', async () => {
    const user = await stage.user();
    const error = await caught(
      anthropicOf({ ...user, platformKey: 'nobody-0123456789abcdef' }, Sdk).messages.create(MESSAGE),
    );
    expect(error).toBeInstanceOf(Sdk.AuthenticationError);
    expect(error).toMatchObject({ type: 'authentication_error', requestID: expect.stringMatching(/^req_/) });
    expect(user.exchanges).toHaveLength(1);
  });
});
