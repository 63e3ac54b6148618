/**
 * `npm run snapshot -- FILE`: what a Redis of this release holds after a little of everything, and how this release answers it.
 * To be run on a release before the next one changes a stored format; the file becomes a fixture of `test/upgrade`.
 */
import { writeFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import type { Job } from '../../shared/domain/jobs/schema.ts';
import { startReceiver } from '../support/network/receiver.ts';
import { KEYS, startGateway, userKey } from '../support/processes/gateway.ts';
import { until } from '../support/until.ts';
import { RINGS, type Snapshot, type StoredKey } from './snapshot.ts';

const readKey = async (redis: Redis, name: string): Promise<StoredKey> => {
  const type = await redis.type(name);
  const ttlMs = await redis.pttl(name);
  const value = await {
    string: () => redis.get(name),
    hash: () => redis.hgetall(name),
    list: () => redis.lrange(name, 0, -1),
    set: () => redis.smembers(name),
    zset: () => redis.zrange(name, '0', '-1', 'WITHSCORES'),
    stream: () => redis.xrange(name, '-', '+'),
  }[type as StoredKey['type']]();
  return { name, type, ttlMs, value } as StoredKey;
};

const take = async (file: string): Promise<void> => {
  const receiver = await startReceiver();
  const gateway = await startGateway({
    env: {
      ...RINGS,
      ADMIN_TOKEN: 'operator-5Gq8ZkVw2nRt7Yb4-Ls9cXd3f',
      WEBHOOK_ALLOW_PRIVATE: 'true',
      RESULT_TTL_SECONDS: '2592000',
    },
  });
  const admin = async (method: string, path: string, body?: object) => {
    const headers = { authorization: `Bearer ${gateway.env.ADMIN_TOKEN ?? ''}` };
    return (await gateway.call(method, path, { headers, ...(body && { body }) })).body as {
      id: string;
      secret?: string;
    };
  };
  const batch = async (lines: object[], fields: object = {}): Promise<string> => {
    const { status, body } = await gateway.call('POST', '/v1/batches', { body: { ...fields, requests: lines } });
    if (status !== 202) throw new Error(JSON.stringify(body));
    return (body as { id: string }).id;
  };
  const line = (text: string, index: number) => ({
    custom_id: `line-${index}`,
    body: { messages: [{ role: 'user', content: text }], ...(index === 1 && { metadata: { row: '1' } }) },
  });
  const batchIs = (id: string, ...statuses: string[]) =>
    until(`${id} is ${statuses.join(' or ')}`, async () => {
      const { body } = await gateway.call('GET', `/v1/batches/${id}`);
      return statuses.includes((body as { status: string }).status);
    });

  const tenant = await admin('POST', '/admin/tenants', {
    name: 'Registered',
    limits: { max_in_flight: 7, requests_per_minute: 600, monthly_budget_usd: 25 },
    weight: 2,
  });
  const issued = await admin('POST', `/admin/tenants/${tenant.id}/keys`, {
    name: 'first',
    scopes: ['jobs:write', 'jobs:read', 'usage:read'],
  });
  const registeredKey = issued.secret ?? '';
  if (registeredKey === '') throw new Error(JSON.stringify(issued));

  const done: Job[] = [];
  const submit = async (text: string, options: Parameters<typeof gateway.submit>[1] = {}) => {
    const { id } = await gateway.submit(text, options);
    done.push(await gateway.finished(id, options.key === undefined ? {} : { key: options.key }));
  };
  await submit('plain', { fields: { metadata: { order: '17', note: 'é "quoted"' } } });
  await submit('on a key of the user’s', { headers: userKey(), fields: { model: 'gpt-4o-mini' } });
  await submit('refused sandbox:status=400');
  await submit('tried again sandbox:status=500 times=2');
  await submit('told', { fields: { webhook: { url: `${receiver.url}/hook` } } });
  await submit('once', { headers: { 'idempotency-key': 'the-same' } });
  const once = done.at(-1)?.id ?? '';
  await submit('of a registered tenant', { key: registeredKey });
  await until('the event arrived', () => receiver.received.length > 0);

  const whole = await batch(['one', 'two', 'three sandbox:status=400', 'four'].map(line), {
    metadata: { batch: 'whole' },
    webhook: { url: `${receiver.url}/batch` },
  });
  await batchIs(whole, 'completed');
  const stopped = await batch(
    Array.from({ length: 70 }, (_, index) => line(`stopped ${index} sandbox:delay=60000`, index)),
  );
  await until(
    'some run',
    async () =>
      ((await gateway.call('GET', `/v1/batches/${stopped}`)).body as { request_counts: { in_progress: number } })
        .request_counts.in_progress > 0,
  );
  await gateway.call('POST', `/v1/batches/${stopped}/cancel`);
  await batchIs(stopped, 'cancelled');
  await until('both events arrived', () => receiver.received.length > 1);

  // From here on nothing moves any more: one call is cut off in its middle, the rest waits.
  const hanging = await gateway.submit('was under way sandbox:delay=1000');
  await until('it runs', async () => (await gateway.read(hanging.id)).status === 'in_progress');
  for (const worker of gateway.workers) worker.signal('SIGKILL');
  await Promise.all(gateway.workers.map(({ exited }) => exited));
  const waiting = [hanging.id];
  for (let index = 0; index < 3; index++) waiting.push((await gateway.submit(`waits ${index}`)).id);
  const waitingBatch = await batch(Array.from({ length: 40 }, (_, index) => line(`waits in a batch ${index}`, index)));

  const day = new Date().toISOString().slice(0, 10);
  const answers: Snapshot['answers'] = [];
  const record = async (path: string, key: string = KEYS.acme): Promise<void> => {
    const { status, body } = await gateway.call('GET', path, { key });
    answers.push({ path, key, status, body });
  };
  for (const job of done.slice(0, -1)) await record(`/v1/jobs/${job.id}`);
  await record(`/v1/jobs/${done.at(-1)?.id ?? ''}`, registeredKey);
  for (const id of [whole, stopped]) await record(`/v1/batches/${id}`);
  await record(`/v1/jobs?batch_id=${whole}`);
  await record(`/v1/jobs?batch_id=${stopped}&limit=3`);
  await record('/v1/webhooks/deliveries');
  await record('/v1/webhooks/secret');
  await record(`/v1/usage?from=${day}&to=${day}`);
  await record(`/v1/usage?from=${day}&to=${day}`, registeredKey);
  const results = async (id: string): Promise<unknown[]> => {
    const response = await fetch(`${gateway.apis[0]?.url ?? ''}/v1/batches/${id}/results`, {
      headers: { 'x-api-key': KEYS.acme },
    });
    return (await response.text())
      .trim()
      .split('\n')
      .map((text) => JSON.parse(text) as unknown);
  };
  const batchResults = { [whole]: await results(whole) };

  const redis = new Redis(gateway.redis.url);
  const names = (await redis.keys('*')).toSorted();
  const stored: StoredKey[] = [];
  for (const name of names) stored.push(await readKey(redis, name));
  redis.disconnect();
  const snapshot: Snapshot = {
    takenMs: Date.now(),
    registeredKey,
    once,
    waiting,
    waitingBatch,
    answers,
    batchResults,
    stored,
  };
  writeFileSync(file, `${JSON.stringify(snapshot)}\n`);
  await gateway.stop();
  await receiver.close();
};

await take(process.argv[2] ?? 'snapshot.json');
