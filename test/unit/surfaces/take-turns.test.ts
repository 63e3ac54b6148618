import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { ApiContext } from '../../../api/http/context.ts';
import { createTakeTurns } from '../../../api/surfaces/native/take-turns.ts';
import { RedisUnavailable } from '../../../shared/storage/redis/unavailable.ts';

type Call = { response: Promise<Response>; end: () => void; fail: (error: Error) => void; leave: () => void };

/** Calls of tenants, which run until they are told to end; `started` names them in the order in which they began. */
const setUp = () => {
  const started: string[] = [];
  const takeTurns = createTakeTurns();
  const call = (tenant: string, name: string): Call => {
    const { promise, resolve, reject } = Promise.withResolvers<Response>();
    const outgoing = { closed: false };
    // The cast says that the line needs no more of a call's context.
    const context = { get: () => tenant, env: { outgoing } } as unknown as ApiContext;
    const response = takeTurns(context, () => {
      started.push(name);
      return promise;
    });
    response.catch(() => {});
    const leave = (): void => {
      outgoing.closed = true;
    };
    return { response, end: () => resolve(new Response(name)), fail: reject, leave };
  };
  return { started, call };
};

test('calls of one tenant run one after the other, in their order; another tenant waits for none of them', async () => {
  const { started, call } = setUp();
  const [first, second, third] = ['first', 'second', 'third'].map((name) => call('acme', name));
  const other = call('beta', 'other');
  await nextTurn();
  expect(started).toEqual(['first', 'other']);
  other.end();
  first?.end();
  await first?.response;
  await nextTurn();
  expect(started).toEqual(['first', 'other', 'second']);
  second?.end();
  third?.end();
  expect(await (await third?.response)?.text()).toBe('third');
  const later = call('acme', 'later');
  later.end();
  expect(await (await later.response).text()).toBe('later');
});

test('one that fails does not keep the next from its turn', async () => {
  const { started, call } = setUp();
  const [first, second] = ['first', 'second'].map((name) => call('acme', name));
  first?.fail(new Error('broken'));
  await expect(first?.response).rejects.toThrow('broken');
  second?.end();
  await second?.response;
  expect(started).toEqual(['first', 'second']);
});

test('where Redis is away all that wait are told so at once, and who comes later is served', async () => {
  const { started, call } = setUp();
  const calls = ['first', 'second', 'third'].map((name) => call('acme', name));
  await nextTurn();
  calls[0]?.fail(new RedisUnavailable());
  for (const { response } of calls) await expect(response).rejects.toBeInstanceOf(RedisUnavailable);
  const later = call('acme', 'later');
  later.end();
  await later.response;
  expect(started).toEqual(['first', 'later']);
});

test('a client that went away while it waited is passed over', async () => {
  const { started, call } = setUp();
  const [first, second, third] = ['first', 'second', 'third'].map((name) => call('acme', name));
  second?.leave();
  first?.end();
  third?.end();
  await third?.response;
  expect(started).toEqual(['first', 'third']);
});
