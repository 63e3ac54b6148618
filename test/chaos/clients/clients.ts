/** Clients as careful ones are: every request under an idempotency key, sent again until it is answered. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Job } from '../../../shared/domain/jobs/schema.ts';
import { type Answer, type TestApi, userKey } from '../../support/processes/gateway.ts';
import { createRandom, type Random } from '../../support/random.ts';
import { hookOf, platformKeyOf, type Stage, TENANTS, type TenantName } from '../stage/stage.ts';
import type { History, JobKind, JobPlan } from './history.ts';
import { createWaitingClients, type Heard } from './waiting.ts';

/** What the provider is told to do, and how often of a hundred jobs. A limit of one upstream must not hold up the others: the throttled have a model of their own. */
const JOB_KINDS: Record<JobKind, { weight: number; steering: string; model?: string; deadlineSeconds?: number }> = {
  plain: { weight: 45, steering: '' },
  slow: { weight: 9, steering: 'sandbox:delay=700' },
  throttled: { weight: 4, steering: 'sandbox:status=429 retry-after=1 times=1', model: 'gpt-4o-mini' },
  unavailable: { weight: 4, steering: 'sandbox:status=503 times=1' },
  reset: { weight: 4, steering: 'sandbox:fail=reset times=1' },
  garbled: { weight: 3, steering: 'sandbox:fail=cut times=1' },
  rejected: { weight: 3, steering: 'sandbox:status=400' },
  key_rejected: { weight: 3, steering: 'sandbox:status=401' },
  cancelled: { weight: 6, steering: 'sandbox:delay=900' },
  expiring: { weight: 3, steering: 'sandbox:delay=9000', deadlineSeconds: 3 },
  twins: { weight: 4, steering: '' },
  called: { weight: 6, steering: 'sandbox:delay=1500' },
  streamed: { weight: 6, steering: 'sandbox:pause=60' },
};

export const planJob = (seed: number, number: number): JobPlan => {
  const random = createRandom(seed, number);
  const kinds = Object.keys(JOB_KINDS) as JobKind[]; // The type of its own keys.
  const lots = kinds.flatMap((kind) => Array<JobKind>(JOB_KINDS[kind].weight).fill(kind));
  const kind = lots[random.below(lots.length)] ?? 'plain';
  return {
    number,
    tenant: random.pick(TENANTS),
    credential: random.pick(['platform', 'platform', 'openai', 'anthropic']),
    kind,
    cancelAfterMs: random.between(0, 600),
    webhook: random.next() < 0.15,
    stranger: random.next() < 0.02,
    deleted: random.next() < 0.03,
  };
};

/** What a prompt of this job holds, and no other. */
export const markOf = (number: number): string => `chaos job ${number}.`;

export type Clients = {
  /** Sees one job through; resolves when it is final and everything about it is noted. */
  runJob: (plan: JobPlan) => Promise<void>;
  /** A request that is sent until some API answers it with something else than 503. */
  ask: (tenant: TenantName, method: string, path: string, options?: Options) => Promise<Answer>;
};

/** `text` is sent as it is; its type is among the headers. */
type Options = { headers?: Record<string, string>; body?: unknown; text?: string };

/** A job that is not final after so long is lost. */
const PATIENCE_MS = 240_000;
const FIRST_PAUSE_MS = 150;
/** Longer than the longest `?wait=`, so that a frozen API does not hold a client for ever. */
const ANSWER_LIMIT_MS = 15_000;

/** Of NDJSON, the lines; one that was broken off is left out. */
const parse = (text: string, type: string): unknown => {
  if (!type.startsWith('application/x-ndjson')) return text === '' ? null : JSON.parse(text);
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);
};

export const createClients = (stage: Stage, history: History, random: Random): Clients => {
  const { gateway } = stage;

  const once = async (api: TestApi | undefined, tenant: TenantName, method: string, path: string, options: Options) => {
    const response = await fetch(`${api?.url ?? ''}${path}`, {
      method,
      headers: {
        'X-API-Key': platformKeyOf(tenant),
        ...(options.body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...options.headers,
      },
      ...(options.text === undefined ? {} : { body: options.text }),
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
      signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: parse(text, response.headers.get('content-type') ?? ''),
    };
  };

  const ask: Clients['ask'] = async (tenant, method, path, options = {}) => {
    const giveUpAt = performance.now() + PATIENCE_MS;
    for (let unanswered = 0; ; ) {
      const api = gateway.apis[random.below(gateway.apis.length)];
      const answer = await once(api, tenant, method, path, options).catch(() => null);
      const status = answer?.status ?? 0;
      history.answers.set(status, (history.answers.get(status) ?? 0) + 1);
      if (answer && status === 503 && answer.headers.get('retry-after') === null) {
        history.violations.push(`a 503 to ${method} ${path} without Retry-After`);
      }
      if (answer && status !== 503 && status !== 409) {
        if (status >= 500) history.violations.push(`${status} to ${method} ${path}: ${JSON.stringify(answer.body)}`);
        return answer;
      }
      if (performance.now() > giveUpAt) throw new Error(`${method} ${path} was not answered for ${PATIENCE_MS} ms`);
      // Clients that came back at once would keep down what a fault, or a busy machine, has slowed.
      const askedMs = answer
        ? Number(answer.headers.get('retry-after')) * 1_000
        : FIRST_PAUSE_MS * 2 ** Math.min(unanswered++, 5);
      await delay(Math.max(FIRST_PAUSE_MS, askedMs) * random.between(1, 1.5));
    }
  };

  const submit = async (plan: JobPlan): Promise<string> => {
    const { steering, model, deadlineSeconds } = JOB_KINDS[plan.kind];
    const { credential, number } = plan;
    const own = credential === 'platform' ? {} : userKey(stage.userKeys[plan.tenant][credential], credential);
    const send = async (): Promise<string> => {
      const { status, body } = await ask(plan.tenant, 'POST', '/v1/complete', {
        headers: { 'Idempotency-Key': `chaos-${number}`, ...own },
        body: {
          model: model ?? (credential === 'anthropic' ? 'claude-sonnet-4-5' : 'gpt-4o'),
          messages: [{ role: 'user', content: `${markOf(number)} ${steering}` }],
          ...(plan.webhook ? { webhook: { url: hookOf(stage, number) } } : {}),
          ...(deadlineSeconds ? { deadline_seconds: deadlineSeconds } : {}),
        },
      });
      if (status !== 202 && status !== 200) throw new Error(`refused: ${status} ${JSON.stringify(body)}`);
      return (body as Job).id;
    };
    if (plan.kind !== 'twins') return send();
    const ids = new Set(await Promise.all([send(), send(), send()]));
    if (ids.size > 1) history.violations.push(`${markOf(number)} one idempotency key made ${ids.size} jobs`);
    return [...ids][0] ?? '';
  };

  const finalJob = async (plan: JobPlan, id: string): Promise<Job> => {
    const giveUpAt = performance.now() + PATIENCE_MS;
    for (;;) {
      const { status, body } = await ask(plan.tenant, 'GET', `/v1/jobs/${id}?wait=10`);
      if (status !== 200) throw new Error(`${id} of an accepted job: ${status} ${JSON.stringify(body)}`);
      const job = body as Job;
      if (job.finished_at !== null) return job;
      if (performance.now() > giveUpAt) throw new Error(`${id} is still ${job.status} after ${PATIENCE_MS} ms`);
    }
  };

  const cancel = async (plan: JobPlan, id: string): Promise<boolean> => {
    await delay(plan.cancelAfterMs);
    const { status, body } = await ask(plan.tenant, 'POST', `/v1/jobs/${id}/cancel`);
    if (status !== 200 && status !== 202) history.violations.push(`${id}: cancel was answered with ${status}`);
    return status === 200 && (body as Job).status === 'cancelled';
  };

  const lookAsStranger = async (plan: JobPlan, id: string): Promise<void> => {
    const stranger = TENANTS.find((each) => each !== plan.tenant) ?? 'acme';
    for (const [method, path] of [
      ['GET', `/v1/jobs/${id}`],
      ['POST', `/v1/jobs/${id}/cancel`],
      ['DELETE', `/v1/jobs/${id}`],
    ] as const) {
      const { status } = await ask(stranger, method, path);
      if (status !== 404) history.violations.push(`${id}: a stranger’s ${method} was answered with ${status}`);
    }
  };

  const remove = async (plan: JobPlan, id: string): Promise<void> => {
    // The answer to the first one may be lost.
    const { status } = await ask(plan.tenant, 'DELETE', `/v1/jobs/${id}`);
    if (status !== 204 && status !== 410) history.violations.push(`${id}: DELETE was answered with ${status}`);
    const after = await ask(plan.tenant, 'GET', `/v1/jobs/${id}`);
    if (after.status !== 410) history.violations.push(`${id} was deleted and is answered with ${after.status}`);
  };

  const waiting = createWaitingClients(stage, history, random);
  const hear = (plan: JobPlan): Promise<Heard> => {
    const asked = { plan, prompt: `${markOf(plan.number)} ${JOB_KINDS[plan.kind].steering}` };
    return plan.kind === 'streamed' ? waiting.stream(asked) : waiting.call(asked);
  };

  return {
    ask,
    runJob: async (plan) => {
      const heard = plan.kind === 'called' || plan.kind === 'streamed' ? await hear(plan) : null;
      const id = heard?.id ?? (await submit(plan));
      if (plan.stranger) await lookAsStranger(plan, id);
      const cancelConfirmed = plan.kind === 'cancelled' && (await cancel(plan, id));
      const final = await finalJob(plan, id);
      const deleted = plan.deleted && !final.attempts.some(({ outcome }) => outcome === 'unknown');
      if (deleted) await remove(plan, id);
      history.jobs.push({
        plan,
        id,
        final,
        endedMs: performance.now(),
        cancelConfirmed,
        deleted,
        heard: heard?.text ?? null,
      });
    },
  };
};
