/** A client that goes away for good, so that nobody would read its answer. */
import OpenAI from 'openai';
import { describe, expect, test } from 'vitest';
import type { Job } from '../../shared/domain/jobs/schema.ts';
import { until } from '../support/until.ts';
import { hello, helloAfter } from './stage/answers.ts';
import { openaiOf } from './stage/clients.ts';
import type { TestUser } from './stage/stage.ts';
import { useStage } from './stage/use-stage.ts';

// A second job of a user waits for the first.
const stage = useStage({ MAX_WAIT_SECONDS: '1', MAX_IN_FLIGHT: '1' });
const chat = (content: string) => ({ model: 'gpt-4o-mini', messages: [{ role: 'user' as const, content }] });
/** A client counts as gone after 30 s. */
const GONE = { withinMs: 40_000, everyMs: 100 };

/** Asks, and leaves for good when it may; answers when that was. */
const leave = async (user: TestUser, when: () => unknown, headers: Record<string, string> = {}): Promise<number> => {
  const aborting = new AbortController();
  const asked = openaiOf(user, OpenAI, headers).chat.completions.create(chat('Hello'), { signal: aborting.signal });
  const left = until('the client may go', when).then(() => {
    aborting.abort();
    return performance.now();
  });
  await expect(asked).rejects.toBeInstanceOf(OpenAI.APIUserAbortError);
  return left;
};
const newest = async (user: TestUser): Promise<Job | undefined> => (await user.jobs())[0];

describe.concurrent('a client that goes away', () => {
  test('oa-gone: ends its job half a minute later if that still waits, and its provider hears nothing', async () => {
    const user = await stage.user();
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    user.answers(async (call) => {
      await released;
      return hello(call);
    });
    const running = openaiOf(user).chat.completions.create(chat('The first'));
    await until('the first job runs', () => user.calls().length > 0);
    const left = await leave(user, async () => (await user.jobs()).length > 1);
    await until('the job is cancelled', async () => (await newest(user))?.status === 'cancelled', GONE);
    expect(performance.now() - left).toBeGreaterThan(28_000);
    release();
    await running;
    expect(user.calls()).toHaveLength(1);
  }, 60_000);

  test('oa-gone-running: lets a job that runs come to its end, because it is paid for', async () => {
    const user = await stage.user();
    user.answers(helloAfter(33_000));
    await leave(user, () => user.calls().length > 0);
    await until('the job has ended', async () => (await newest(user))?.finished_at, GONE);
    expect(await newest(user)).toMatchObject({ status: 'completed' });
    expect(user.calls().map((call) => call.isCut())).toEqual([false]);
  }, 60_000);

  test('oa-gone-cancel: takes a job that runs along, if X-Gateway-On-Disconnect is cancel', async () => {
    const user = await stage.user();
    user.answers(helloAfter(50_000));
    await leave(user, () => user.calls().length > 0, { 'X-Gateway-On-Disconnect': 'cancel' });
    await until('the job is cancelled', async () => (await newest(user))?.status === 'cancelled', GONE);
    await until('the provider is let go', () => user.calls()[0]?.isCut());
  }, 60_000);

  test('oa-gone-keep: leaves a job that waits alone, if X-Gateway-On-Disconnect is keep', async () => {
    const user = await stage.user();
    user.answers(helloAfter(33_000));
    const running = openaiOf(user).chat.completions.create(chat('The first'));
    await until('the first job runs', () => user.calls().length > 0);
    await leave(user, async () => (await user.jobs()).length > 1, { 'X-Gateway-On-Disconnect': 'keep' });
    user.answers(hello);
    await running;
    await until('the job has ended', async () => (await newest(user))?.finished_at);
    expect((await user.jobs()).map(({ status }) => status)).toEqual(['completed', 'completed']);
  }, 60_000);
});
