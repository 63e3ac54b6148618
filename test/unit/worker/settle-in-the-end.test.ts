import { expect, test } from 'vitest';
import type { Log } from '../../../shared/domain/log.ts';
import { answerOf } from '../../../shared/storage/redis/unavailable.ts';
import { settleInTheEnd } from '../../../worker/pipeline/settle-in-the-end.ts';

/** What was offered to a Redis that answers with these errors, one after the other, and then takes it; and what was logged. */
const settle = async (refusals: readonly string[]) => {
  const offered: string[] = [];
  const logged: string[] = [];
  const note = (event: string): void => {
    logged.push(event);
  };
  const log: Log = { debug: note, info: note, warn: note, error: note };
  const left = [...refusals];
  const settled = settleInTheEnd(
    (settlement: string) => {
      offered.push(settlement);
      const text = left.shift();
      const error = Object.assign(new Error(text), { name: 'ReplyError' });
      return answerOf(text === undefined ? Promise.resolve('settled') : Promise.reject(error));
    },
    { settlement: 'paid answer', instead: 'internal_error', log, about: { job_id: 'job_1' } },
  );
  expect(await settled).toBe('settled');
  return { offered, logged };
};

test.concurrent.for([
  'ERR server closed connection',
  'upstream failure',
  'ERR max daily request limit exceeded. Limit: 10000',
  'DENIED Redis is running in protected mode',
  'STALE x',
  'ERR proxy error',
  'READONLY You can not write against a read only replica.',
])('a paid answer outlives “%s”', async (text, { expect }) => {
  const { offered } = await settle([text, text]);
  expect(offered).toEqual(['paid answer', 'paid answer', 'paid answer']);
});

test.concurrent.for([
  'WRONGTYPE Operation against a key holding the wrong kind of value script: 0123, on @user_script:12.',
  'ERR user_script:12: Script attempted to access nonexistent global variable script: 0123, on @user_script:12.',
  'ERR value is not an integer or out of range script: 0123, on @user_script:12.',
  "ERR unknown command 'EVALSHA'",
  "ERR wrong number of arguments for 'evalsha' command",
])('what no waiting mends ends the job: “%s”', async (text, { expect }) => {
  expect(await settle([text])).toEqual({ offered: ['paid answer', 'internal_error'], logged: ['settle_refused'] });
});

test('an unknown error is logged once for each settlement', async () => {
  expect((await settle(['STALE x', 'STALE x', 'LOADING'])).logged).toEqual(['settle_delayed']);
});
