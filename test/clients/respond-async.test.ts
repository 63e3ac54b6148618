/** SDKs that ask for jobs in the place of answers. */
import { describe, expect, test } from 'vitest';
import type { Job } from '../../shared/domain/jobs/schema.ts';
import { ANTHROPIC_SDKS, anthropicOf, OPENAI_SDKS, openaiOf } from './stage/clients.ts';
import type { TestUser } from './stage/stage.ts';
import { useStage } from './stage/use-stage.ts';

const stage = useStage({ MAX_WAIT_SECONDS: '1' });
const ASYNC = { Prefer: 'respond-async' };
const MESSAGES = [{ role: 'user' as const, content: 'Hello' }];

/** Numbers and escapes that no parser of JSON keeps. */
const ANSWERS = {
  openai: '{"choices":[{"finish_reason":"stop","message":{"content":"\\u00e9"}}],"seed":9007199254740993,"new":1.0}',
  anthropic: '{"type":"message","content":[{"type":"text","text":"\\u00e9"}],"stop_reason":"end_turn","new":1.0}',
} as const;

/** That the job behind `answer` was accepted at once and ends with these bytes. */
const expectAnswer = async (user: TestUser, answer: unknown, raw: string): Promise<void> => {
  const accepted = answer as Job;
  expect(accepted).toMatchObject({ object: 'job', result: null });
  expect(user.exchanges).toMatchObject([{ method: 'POST', answer: { status: 202 } }]);
  const job = await stage.gateway().finished(accepted.id, { key: user.platformKey });
  expect(job).toMatchObject({ status: 'completed', urls: { answer: `/v1/jobs/${job.id}/answer` } });
  const stored = await fetch(`${user.url}${job.urls.answer}`, { headers: { 'X-API-Key': user.platformKey } });
  expect(await stored.text()).toBe(raw);
  expect(user.calls()).toHaveLength(1);
  expect(user.calls()[0]?.body.equals(user.exchanges[0]?.body ?? Buffer.alloc(0))).toBe(true);
};

describe.concurrent.each(OPENAI_SDKS)('%s', (_, Sdk) => {
  test('respond-async: a job is handed back at once, and the provider’s answer is kept byte for byte', async () => {
    const user = await stage.user();
    user.answers(() => ({ body: ANSWERS.openai }));
    const request = { model: 'gpt-4o-mini', messages: MESSAGES };
    await expectAnswer(user, await openaiOf(user, Sdk, ASYNC).chat.completions.create(request), ANSWERS.openai);
  });
});

describe.concurrent.each(ANTHROPIC_SDKS)('%s', (_, Sdk) => {
  test('respond-async: a job is handed back at once, and the provider’s answer is kept byte for byte', async () => {
    const user = await stage.user();
    user.answers(() => ({ body: ANSWERS.anthropic }));
    const request = { model: 'claude-opus-4-8', max_tokens: 10, messages: MESSAGES };
    await expectAnswer(user, await anthropicOf(user, Sdk, ASYNC).messages.create(request), ANSWERS.anthropic);
  });
});
