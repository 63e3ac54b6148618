import { afterAll, beforeAll, expect, test } from 'vitest';
import { exchange, openConnection, request } from '../../support/network/raw.ts';
import { KEYS, startGateway, type TestGateway } from '../../support/processes/gateway.ts';

let gateway: TestGateway;
let url: string;
beforeAll(async () => {
  const keys = [...Object.entries(KEYS), ...Object.values(OWN_KEYS).map((key, index) => [`own-${index}`, key])];
  const PLATFORM_API_KEYS = keys.map(([tenant, key]) => `${tenant}:${key}`).join(',');
  gateway = await startGateway({ workers: 0, env: { RATE_LIMIT_RPM: '600', PLATFORM_API_KEYS } });
  url = gateway.apis[0]?.url ?? '';
});
afterAll(() => gateway.stop());

const median = (all: readonly number[]): number => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0;

/** Reads as another tenant, one after the other, and answers the median time of one. */
const readAsBeta = async (times: number): Promise<number> => {
  const took: number[] = [];
  for (let count = 0; count < times; count++) {
    const startedMs = performance.now();
    expect((await gateway.call('GET', '/v1/jobs/job_0', { key: KEYS.beta })).status).toBe(404);
    took.push(performance.now() - startedMs);
  }
  return median(took);
};

test('a tenant that loops over refused bodies of 1 MB is stopped, and another tenant hardly notices', async () => {
  const body = JSON.stringify({ messages: [{ role: 'user', content: Array.from({ length: 330_000 }, () => ({})) }] });
  const quietMs = await readAsBeta(50);
  let over = false;
  const statuses: number[] = [];
  const startedMs = performance.now();
  const loop = async (): Promise<void> => {
    while (!over) statuses.push((await gateway.call('POST', '/v1/complete', { body })).status);
  };
  const loops = Array.from({ length: 10 }, loop);
  const busyMs = await readAsBeta(300);
  over = true;
  await Promise.all(loops);
  const seconds = (performance.now() - startedMs) / 1_000;
  const parsed = statuses.filter((status) => status === 400).length;
  expect(statuses.every((status) => status === 400 || status === 429)).toBe(true);
  expect(parsed).toBeGreaterThan(0);
  // 18.75 MiB at once and in each 10 seconds, about 20 bodies, and what was under way when they were used up.
  expect(parsed).toBeLessThan(20 + 2 * seconds + 2 * loops.length);
  expect(statuses.length - parsed).toBeGreaterThan(0);
  expect(busyMs).toBeLessThan(Math.max(50, 20 * quietMs));
}, 60_000);

const line = (id: string, content: string): string =>
  `${JSON.stringify({ custom_id: id, body: { messages: [{ role: 'user', content }] } })}\n`;
const MEGABYTE = 'x'.repeat(900_000);

/** Each sends a few megabytes of which nothing new is stored. */
const STORE_NOTHING: Record<string, (key: string) => Promise<number>> = {
  'a repeated job': async (key) => {
    const body = JSON.stringify({ messages: [{ role: 'user', content: MEGABYTE }] });
    const { status } = await gateway.call('POST', '/v1/complete', {
      key,
      body,
      headers: { 'Idempotency-Key': 'job' },
    });
    return status;
  },
  'a repeated batch': async (key) => {
    const body = Array.from({ length: 4 }, (_, index) => line(`a${index}`, MEGABYTE)).join('');
    const headers = { 'Content-Type': 'application/x-ndjson', 'Idempotency-Key': 'batch' };
    return (await gateway.call('POST', '/v1/batches', { key, body, headers })).status;
  },
  'a batch of lines that are left out': async (key) => {
    const body = `${line('a', 'short')}${`${MEGABYTE}\n`.repeat(4)}`;
    const headers = { 'Content-Type': 'application/x-ndjson' };
    return (await gateway.call('POST', '/v1/batches?on_invalid=skip', { key, body, headers })).status;
  },
  'a batch of short lines that are left out': async (key) => {
    const body = `${line('a', 'short')}${'x\n'.repeat(60_000)}`;
    const headers = { 'Content-Type': 'application/x-ndjson' };
    return (await gateway.call('POST', '/v1/batches?on_invalid=skip', { key, body, headers })).status;
  },
};

/** What one of them uses up is no other's. */
const OWN_KEYS = Object.fromEntries(
  Object.keys(STORE_NOTHING).map((name, index) => [name, `own-${index}-Vt5qZ81mXr7LwK02pJ`]),
);

test.for(Object.entries(STORE_NOTHING))(
  '%s is counted by its bytes, and stopped',
  { timeout: 60_000 },
  async ([name, send]) => {
    const statuses: number[] = [];
    while (statuses.length < 40 && statuses.at(-1) !== 429) statuses.push(await send(OWN_KEYS[name] ?? ''));
    expect(statuses.at(-1)).toBe(429);
    expect(statuses.length).toBeGreaterThan(3);
  },
);

test('calls that accept nothing are counted too: a loop of cancels is stopped, and told for how long', async () => {
  const statuses: number[] = [];
  let after = 0;
  for (let round = 0; round < 60 && after === 0; round++) {
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => gateway.call('POST', '/v1/jobs/job_0/cancel', { key: KEYS.gamma })),
    );
    for (const { status, headers } of answers) {
      statuses.push(status);
      if (status === 429) after = Number(headers.get('retry-after'));
    }
  }
  expect(statuses.filter((status) => status === 404).length).toBeLessThanOrEqual(2_000);
  expect(after).toBeGreaterThanOrEqual(1);
  expect(after).toBeLessThanOrEqual(10);
}, 60_000);

test('a client that waits for 100 Continue is asked for its body only when that is read', async () => {
  const body = JSON.stringify({ messages: [{ role: 'user', content: 'a' }] });
  const expecting = (headers: readonly string[]): string =>
    request('POST /v1/complete', [
      ...headers,
      'Content-Type: application/json',
      'Expect: 100-continue',
      `Content-Length: ${body.length}`,
    ]);
  const refused = openConnection(url);
  refused.send(expecting(['X-API-Key: wrong-platform-key-0001']));
  const { status } = await refused.answer();
  expect([status, refused.rest()]).toEqual([401, '']);
  refused.close();

  const accepted = openConnection(url);
  accepted.send(expecting([`X-API-Key: ${KEYS.beta}`]));
  await expect.poll(() => accepted.rest()).toBe('HTTP/1.1 100 Continue\r\n\r\n');
  accepted.send(body);
  expect((await accepted.answer()).status).toBe(202);
  accepted.close();
  // Whoever does not wait needs no leave.
  expect(
    (
      await exchange(
        url,
        request('POST /v1/complete', [`X-API-Key: ${KEYS.beta}`, 'Content-Type: application/json'], body),
      )
    ).status,
  ).toBe(202);
});
