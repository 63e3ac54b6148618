/** Clients that send batches: uploads that break off are sent again under the same idempotency key, downloads go on at their cursor. */
import { setTimeout as delay } from 'node:timers/promises';
import type { SandboxCall } from '../../../sandbox/call-record.ts';
import type { Batch, ResultLine } from '../../../shared/domain/batches/schema.ts';
import { userKey } from '../../support/processes/gateway.ts';
import { createRandom } from '../../support/random.ts';
import { type Stage, TENANTS } from '../stage/stage.ts';
import type { Clients } from './clients.ts';
import type { BatchPlan, BatchStory } from './history.ts';

export const planBatch = (seed: number, number: number): BatchPlan => {
  const random = createRandom(seed, 1_000_000 + number);
  return {
    number,
    tenant: random.pick(TENANTS),
    credential: random.pick(['platform', 'openai', 'anthropic']),
    lines: 20 + random.below(180),
    cancelAfterMs: random.next() < 0.2 ? random.between(0, 3_000) : null,
  };
};

const MODELS = {
  platform: ['gpt-4o', 'amazon.nova-lite-v1:0'],
  openai: ['gpt-4o', 'gpt-4o-mini'],
  anthropic: ['claude-sonnet-4-5'],
};

/** Every line by its number: one in twenty is refused by the provider, one in twenty fails once. */
const steeringOf = (line: number): string => {
  if (line % 20 === 3) return ' sandbox:status=400';
  if (line % 20 === 13) return ' sandbox:status=503 times=1';
  return line % 10 === 7 ? ' sandbox:delay=300' : '';
};

const markOf = (batch: number, line: number): string => `chaos batch ${batch} line ${line}.`;

const uploadOf = ({ number, credential, lines }: BatchPlan): string =>
  Array.from({ length: lines }, (_, line) =>
    JSON.stringify({
      custom_id: `line-${line}`,
      body: {
        model: MODELS[credential][line % MODELS[credential].length],
        messages: [{ role: 'user', content: `${markOf(number, line)}${steeringOf(line)}` }],
      },
    }),
  ).join('\n');

const isFinal = ({ finished_at }: Batch): boolean => finished_at !== null;

export const runBatch = async (stage: Stage, { ask }: Clients, plan: BatchPlan): Promise<BatchStory> => {
  const { number, tenant, credential, cancelAfterMs } = plan;
  const own = credential === 'platform' ? {} : userKey(stage.userKeys[tenant][credential], credential);
  const accepted = await ask(tenant, 'POST', '/v1/batches', {
    headers: { 'Idempotency-Key': `chaos-batch-${number}`, 'Content-Type': 'application/x-ndjson', ...own },
    text: uploadOf(plan),
  });
  // The type of the answers in this file is the contract's.
  if (accepted.status !== 202 && accepted.status !== 200) {
    throw new Error(`refused: ${accepted.status} ${JSON.stringify(accepted.body)}`);
  }
  const { id } = accepted.body as Batch;
  if (cancelAfterMs !== null) {
    await delay(cancelAfterMs);
    await ask(tenant, 'POST', `/v1/batches/${id}/cancel`);
  }
  const results: ResultLine[] = [];
  const takeResults = async (): Promise<void> => {
    const after = results.at(-1)?.cursor;
    const { status, body } = await ask(tenant, 'GET', `/v1/batches/${id}/results${after ? `?after=${after}` : ''}`);
    if (status !== 200) throw new Error(`results of ${id}: ${status} ${JSON.stringify(body)}`);
    results.push(...(body as ResultLine[]));
  };
  for (;;) {
    const { status, body } = await ask(tenant, 'GET', `/v1/batches/${id}?wait=10`);
    if (status !== 200) throw new Error(`${id}: ${status} ${JSON.stringify(body)}`);
    const batch = body as Batch;
    await takeResults();
    if (isFinal(batch)) {
      // A download may have ended with an API.
      while (results.length < batch.request_counts.total) {
        const before = results.length;
        await takeResults();
        if (results.length === before) break;
      }
      return { plan, batch, results, endedMs: performance.now() };
    }
  }
};

/** Reads every batch once more into its story: what was final must be as it was, but for usage that a late attempt reported. */
export const readBatchesAgain = async (stories: readonly BatchStory[], { ask }: Clients): Promise<string[]> => {
  const violations: string[] = [];
  for (const story of stories) {
    const { plan, batch } = story;
    const { body } = await ask(plan.tenant, 'GET', `/v1/batches/${batch.id}`);
    story.batch = body as Batch;
    for (const field of ['status', 'request_counts', 'finished_at'] as const) {
      const [then, now] = [JSON.stringify(batch[field]), JSON.stringify(story.batch[field])];
      if (then !== now) violations.push(`${batch.id} changed after it was final: ${field} was ${then} and is ${now}`);
    }
  }
  return violations;
};

/** Every line has one outcome, in the results as in the counts, and as its plan lets it. */
export const checkBatches = (stories: readonly BatchStory[], calls: readonly SandboxCall[]): string[] => {
  const violations: string[] = [];
  const answered = new Set(
    calls
      .filter(({ completed, status }) => completed && status === 200)
      .map(({ body }) => /chaos batch \d+ line \d+\./.exec(JSON.stringify(body))?.[0]),
  );
  for (const { plan, batch, results } of stories) {
    const expect = (holds: boolean, violation: string): void => {
      if (!holds) violations.push(`batch ${plan.number} (${batch.id}): ${violation}`);
    };
    const { request_counts: counts } = batch;
    expect(counts.total === plan.lines, `has ${counts.total} lines, and ${plan.lines} were sent`);
    expect(new Set(results.map(({ custom_id }) => custom_id)).size === results.length, 'tells a line twice');
    expect(results.length === plan.lines, `tells ${results.length} of ${plan.lines} lines`);
    for (const status of ['completed', 'failed', 'cancelled', 'expired'] as const) {
      const told = results.filter((line) => line.status === status).length;
      expect(counts[status] === told, `counts ${counts[status]} ${status} and tells ${told}`);
    }
    expect(
      counts.queued === 0 && counts.in_progress === 0,
      `is final with ${counts.queued} queued and ${counts.in_progress} in progress`,
    );
    expect(plan.cancelAfterMs !== null || batch.status === 'completed', `is ${batch.status}`);
    for (const { custom_id, status, result, error } of results) {
      const line = Number(custom_id.split('-')[1]);
      const allowed = line % 20 === 3 ? ['failed'] : ['completed'];
      expect(
        allowed.includes(status) || (plan.cancelAfterMs !== null && status === 'cancelled'),
        `line ${line} is ${status} with ${error?.code}`,
      );
      if (status !== 'completed') continue;
      const mark = markOf(plan.number, line);
      expect(result?.content.includes(mark) === true, `line ${line} holds another’s answer`);
      expect(answered.has(mark), `line ${line} is completed, and the provider never answered it`);
    }
  }
  return violations;
};
