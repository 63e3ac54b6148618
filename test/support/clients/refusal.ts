/** What every refusal of a request has in common, whoever answers it. */
import { expect } from 'vitest';
import { KEYS, type TestGateway } from '../processes/gateway.ts';

export type Received = { status: number; headers: Headers; body: unknown };

const TYPES: Record<number, string> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  405: 'invalid_request_error',
  408: 'invalid_request_error',
  409: 'conflict_error',
  410: 'not_found_error',
  413: 'invalid_request_error',
  415: 'invalid_request_error',
  429: 'rate_limit_error',
  431: 'invalid_request_error',
};

export type Refusal = { status: number; code: string; param?: string | null; message?: RegExp };

/** Fails unless the answer is this refusal, in the one documented form, with the headers that every answer has. */
export const expectRefusal = ({ status, headers, body }: Received, expected: Refusal): void => {
  expect({ status, body }).toMatchObject({ status: expected.status, body: { error: { code: expected.code } } });
  const requestId = headers.get('x-request-id');
  expect(requestId).toMatch(/^[A-Za-z0-9._-]{1,128}$/);
  expect(headers.get('cache-control')).toBe('no-store');
  expect(headers.get('content-type')).toBe('application/json');
  expect(headers.has('access-control-allow-origin')).toBe(false);
  expect(body).toStrictEqual({
    error: {
      type: TYPES[expected.status],
      code: expected.code,
      message: expect.stringMatching(/^\S.{10,600}\.$/),
      param:
        expected.param === undefined
          ? expect.toSatisfy((param) => param === null || typeof param === 'string')
          : expected.param,
      request_id: requestId,
    },
  });
  if (expected.message) expect(body).toMatchObject({ error: { message: expect.stringMatching(expected.message) } });
};

/** Fails if any tenant has a job. */
export const expectNoJobs = async (gateway: TestGateway): Promise<void> => {
  for (const key of Object.values(KEYS)) {
    expect((await gateway.call('GET', '/v1/jobs', { key })).body).toMatchObject({ data: [] });
  }
};

/** The same, and fails if the provider saw a call; needs a worker and the sandbox's `record`. */
export const expectNothingRan = async (gateway: TestGateway): Promise<void> => {
  await expectNoJobs(gateway);
  expect(gateway.sandbox.calls).toEqual([]);
};

export const HELLO = { messages: [{ role: 'user', content: 'Hello!' }] };
