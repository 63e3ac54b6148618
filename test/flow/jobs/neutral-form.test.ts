/** The neutral form end to end: what a provider does not take, a dialogue with tools, and what media may cost. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OPERATIONS } from '../../../api/interface.ts';
import { createDocument } from '../../../api/operations/openapi/document.ts';
import type { Job } from '../../../shared/domain/jobs/schema.ts';
import { acceptedBatch, finishedBatch, line, readResults, upload } from '../../support/clients/batches.ts';
import { createAnswerCheck } from '../../support/clients/openapi.ts';
import { ADMIN_TOKEN, operate } from '../../support/clients/operator.ts';
import { expectRefusal, HELLO } from '../../support/clients/refusal.ts';
import { dataUrl, PDF, png } from '../../support/media.ts';
import { ANTHROPIC_KEY, KEYS, startGateway, type TestGateway, userKey } from '../../support/processes/gateway.ts';
import { withGateway } from '../../support/processes/with-gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway({ sandbox: { record: { limit: 200, keys: 'digest' } } });
});
afterAll(() => gateway.stop());

const check = createAnswerCheck(createDocument(OPERATIONS, () => true));
const post = (body: object, headers: Record<string, string> = {}) =>
  gateway.call('POST', '/v1/complete', { body, headers });
const run = async (body: object, headers: Record<string, string> = {}): Promise<Job> => {
  const answer = await post(body, headers);
  expect(answer.status, JSON.stringify(answer.body)).toBe(202);
  const { id } = answer.body as Job;
  await gateway.finished(id);
  const { status, headers: given, body: job } = await gateway.call('GET', `/v1/jobs/${id}`);
  // As the document has it, whatever the answer holds.
  expect(check('GET /v1/jobs/{id}', { status, headers: given, body: job })).toBeNull();
  return job as Job;
};
const ANTHROPIC = { ...userKey(ANTHROPIC_KEY, 'anthropic') };
const OPENAI = userKey();
const image = (url: string) => ({
  messages: [
    {
      role: 'user',
      content: [
        { type: 'text', text: 'What is it?' },
        { type: 'image_url', image_url: { url } },
      ],
    },
  ],
});
const ELSEWHERE = image('https://images.invalid/a.png');

describe('what the provider does not take', () => {
  const CASES: [string, object, Record<string, string>, string, RegExp][] = [
    ['a seed on Bedrock', { ...HELLO, seed: 7 }, {}, 'seed', /"seed"/],
    [
      'json_object on Anthropic',
      { ...HELLO, model: 'claude-sonnet-4-5', response_format: { type: 'json_object' } },
      ANTHROPIC,
      'response_format',
      /json_object/,
    ],
    ['an image elsewhere on Bedrock', ELSEWHERE, {}, 'messages[0].content[1]', /images\.invalid/],
  ];
  test.each(CASES)('is refused at once, and by its path: %s', async (_, body, headers, param) => {
    const refusal = { status: 400, code: 'unsupported_by_provider', param, message: /on_unsupported: "warn"\.$/ };
    expectRefusal(await post(body, headers), refusal);
    expectRefusal(await post({ ...body, on_unsupported: 'reject' }, headers), refusal);
  });

  test.each(CASES)(
    'or left out with a word, if that is what the client wants: %s',
    async (_, body, headers, param, sent) => {
      const job = await run({ ...body, on_unsupported: 'warn' }, headers);
      expect(job).toMatchObject({
        status: 'completed',
        warnings: [{ param, reason: expect.stringMatching(/ does not take .*; it was left out\.$/) }],
      });
      expect(JSON.stringify(gateway.sandbox.calls.at(-1)?.body)).not.toMatch(sent);
    },
  );

  test('what cannot be left out is refused all the same', async () => {
    const only = ELSEWHERE.messages[0]?.content[1];
    const body = { messages: [{ role: 'user', content: [only] }], on_unsupported: 'warn' };
    expectRefusal(await post(body), { status: 400, code: 'unsupported_by_provider', param: 'messages[0].content[0]' });
  });

  test('a job of which nothing was left out says nothing of it', async () => {
    const job = await run({ ...HELLO, on_unsupported: 'warn', service_tier: 'default' });
    expect(job).not.toHaveProperty('warnings');
  });

  test('lines are judged one by one, and their jobs have their warnings', async () => {
    const seeded = { seed: 7, n: 2 };
    const refused = await upload(gateway, [line('a'), line('b', 'b', seeded)]);
    expect(refused).toMatchObject({
      status: 400,
      body: { error: { errors: [{ line: 2, code: 'unsupported_by_provider', param: 'body.seed' }] } },
    });
    const batch = acceptedBatch(
      await upload(gateway, [line('a'), line('b', 'b', { ...seeded, on_unsupported: 'warn' })]),
    );
    await finishedBatch(gateway, batch.id);
    const results = await readResults(gateway, batch.id, { key: KEYS.acme });
    const jobs = await Promise.all(
      results.map(async ({ custom_id, job_id }) => {
        const { warnings } = await gateway.read(job_id);
        return [custom_id, warnings?.map(({ param }) => param)];
      }),
    );
    expect(Object.fromEntries(jobs)).toEqual({ a: undefined, b: ['body.seed', 'body.n'] });
  });
});

test.each([
  ['Bedrock', {}, {}],
  ['OpenAI', OPENAI, { model: 'gpt-4o' }],
  ['Anthropic', ANTHROPIC, { model: 'claude-sonnet-4-5' }],
])('a dialogue with tools, an image, a document and a form of the answer runs on %s', async (_, headers, more) => {
  const tools = ['get_weather', 'get_time'].map((name) => ({
    type: 'function',
    function: { name, parameters: { type: 'object', properties: { city: { type: 'string' } } } },
  }));
  const schema = { type: 'object', properties: { warm: { type: 'boolean' } } };
  const common = {
    ...more,
    tools,
    response_format: { type: 'json_schema', json_schema: { name: 'report', schema } },
  };
  const question = {
    role: 'user',
    content: [
      { type: 'text', text: 'Compare.' },
      { type: 'image_url', image_url: { url: dataUrl('image/png', png()) } },
      { type: 'file', file: { file_data: dataUrl('application/pdf', PDF), filename: 'may.pdf' } },
    ],
  };
  const { result } = await run({ ...common, messages: [question] }, headers);
  expect(result).toMatchObject({ content: '', finish_reason: 'tool_calls' });
  const calls = result?.tool_calls ?? [];
  expect(calls.map(({ function: called }) => called)).toEqual(
    ['get_weather', 'get_time'].map((name) => ({ name, arguments: '{"city":"sandbox"}' })),
  );
  const results = calls.map(({ id }) => ({ role: 'tool', tool_call_id: id, content: 'done' }));
  const last = await run({ ...common, messages: [question, result, ...results] }, headers);
  expect(last.result).toEqual({ role: 'assistant', content: '{"warm":true}', finish_reason: 'stop' });
  expect(last).not.toHaveProperty('warnings');
});

test('several answers, each with its probabilities, come in one result', async () => {
  const { result } = await run({ ...HELLO, model: 'gpt-4o', n: 3, logprobs: true }, OPENAI);
  expect(result?.choices).toHaveLength(2);
  for (const choice of [result, ...(result?.choices ?? [])]) {
    expect(choice).toMatchObject({ content: expect.stringContaining('sandbox'), finish_reason: 'stop' });
    expect(choice?.logprobs?.content?.map(({ token }) => token).join('')).toBe(choice?.content);
  }
});

test('the same key takes the same request, and not one with another field', async () => {
  const key = { 'Idempotency-Key': 'neutral-1' };
  const body = { ...HELLO, top_k: 5 };
  const first = await post(body, key);
  expect(await post({ top_k: 5, ...HELLO }, key)).toMatchObject({ status: 202, body: { id: (first.body as Job).id } });
  expect((await post({ ...body, top_k: 6 }, key)).status).toBe(422);
});

test('under a budget what is reserved covers what media, choices and tools cost, and what has no bound is refused', async () => {
  await withGateway({ env: { ADMIN_TOKEN } }, async (limited) => {
    const operator = operate(limited);
    const tenant = await operator.tenant({ limits: { monthly_user_budget_usd: 10 } });
    const { secret: key } = await operator.issue(tenant);
    const send = (body: object) =>
      limited.call('POST', '/v1/complete', {
        key,
        body: { model: 'gpt-4o', max_tokens: 200, ...body },
        headers: OPENAI,
      });
    const tools = [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }];
    for (const body of [image(dataUrl('image/png', png())), ELSEWHERE, { ...HELLO, n: 3 }, { ...HELLO, tools }]) {
      const { id } = (await send(body)).body as Job;
      const { budget, billed_usage } = await limited.finished(id, { key });
      expect(budget?.estimate_usd).toBeGreaterThan(0);
      expect(billed_usage?.cost_usd).toBeGreaterThan(0);
      expect(budget?.estimate_usd).toBeGreaterThanOrEqual(billed_usage?.cost_usd ?? Number.POSITIVE_INFINITY);
      expect(budget?.missed_usd).toBe(0);
    }
    expectRefusal(await send({ ...HELLO, service_tier: 'priority' }), {
      status: 400,
      code: 'budget_unbounded',
      param: 'service_tier',
    });
    expect((await send({ ...HELLO, service_tier: 'flex' })).status).toBe(202);
  });
});
