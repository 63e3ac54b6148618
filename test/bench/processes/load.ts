/** The load generator's process: keep-alive connections, each with one request at a time. */
import { Client, type Dispatcher } from 'undici';
import { clockMs } from '../figures/clock.ts';
import { percentile } from '../figures/statistics.ts';
import { serveParent } from './remote.ts';
import { bodyOf, lineOf, PLATFORM_KEY, type Template, userKey } from './request.ts';

type Target = {
  url: string;
  template: Template;
  /** The number of the first request; the others count on from it. */
  first: number;
  /** Whose request it is; without one the tenant that also sends the batches. */
  key?: string;
  /** How many user keys take turns; 0 sends none. */
  userKeys: number;
  headers?: Record<string, string>;
  /** Any other is an error. */
  status: number;
};

const headersOf = ({ key, userKeys, headers }: Omit<Target, 'status'>, number: number): Record<string, string> => ({
  'content-type': 'application/json',
  'x-api-key': key ?? PLATFORM_KEY,
  ...(userKeys > 0 && { 'x-user-api-key': userKey(number % userKeys), 'x-user-provider': 'openai' }),
  ...headers,
});

/** Resolves when the whole answer is there. */
const send = (client: Client, target: Target, number: number): Promise<void> => {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let status = 0;
  const handler: Dispatcher.DispatchHandler = {
    onRequestStart: () => {},
    onResponseStart: (_controller, statusCode) => {
      status = statusCode;
    },
    onResponseData: () => {},
    onResponseEnd: () => (status === target.status ? resolve() : reject(new Error(`answered ${status}`))),
    onResponseError: (_controller, error) => reject(error),
  };
  client.dispatch(
    {
      method: 'POST',
      path: '/v1/complete',
      headers: headersOf(target, number),
      body: bodyOf(target.template, number),
    },
    handler,
  );
  return promise;
};

/** Sends as fast as the answers come, for a time or a number of requests, whichever ends first. */
const flood = async (
  plan: Target & { connections: number; limitMs: number; limitRequests: number },
): Promise<{ count: number; elapsedMs: number; startedAt: number; p50: number; p99: number }> => {
  const latencies: number[] = [];
  let sent = 0;
  const startedAt = clockMs();
  const connection = async (): Promise<void> => {
    const client = new Client(plan.url);
    while (sent < plan.limitRequests && clockMs() - startedAt < plan.limitMs) {
      const sentAt = clockMs();
      await send(client, plan, plan.first + sent++);
      latencies.push(clockMs() - sentAt);
    }
    await client.close();
  };
  await Promise.all(Array.from({ length: plan.connections }, connection));
  return {
    count: latencies.length,
    elapsedMs: clockMs() - startedAt,
    startedAt,
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
  };
};

/** Sends so many a second, whether or not answers come, and answers when each was sent and answered. */
const pace = async (
  plan: Target & { perSecond: number; count: number },
): Promise<{ number: number; sentAt: number; answeredAt: number }[]> => {
  const clients = Array.from({ length: 8 }, () => new Client(plan.url));
  const startedAt = clockMs();
  const all = Array.from({ length: plan.count }, async (_, index) => {
    // Spread within its turn, so that no timer of the gateway beats in step with the load.
    const due = startedAt + ((index + Math.random()) * 1_000) / plan.perSecond;
    const { promise, resolve } = Promise.withResolvers<void>();
    setTimeout(resolve, due - startedAt);
    await promise;
    const number = plan.first + index;
    const client = clients[index % clients.length];
    if (!client) throw new Error('no connection');
    const sentAt = clockMs();
    await send(client, plan, number);
    return { number, sentAt, answeredAt: clockMs() };
  });
  const times = await Promise.all(all);
  for (const client of clients) await client.close();
  return times;
};

/** Uploads lines as one batch, made while they are sent; resolves when it is accepted. */
const uploadBatch = async (
  plan: Omit<Target, 'status'> & { lines: number },
): Promise<{ id: string; elapsedMs: number }> => {
  const startedAt = clockMs();
  const response = await fetch(`${plan.url}/v1/batches`, {
    method: 'POST',
    headers: { ...headersOf(plan, 0), 'content-type': 'application/x-ndjson' },
    body: ReadableStream.from(lineChunks(plan)),
    duplex: 'half',
  });
  const answer = (await response.json()) as { id: string };
  if (response.status !== 202) throw new Error(`answered ${response.status} ${JSON.stringify(answer)}`);
  return { id: answer.id, elapsedMs: clockMs() - startedAt };
};

const LINES_A_CHUNK = 100;

function* lineChunks({ template, first, lines }: { template: Template; first: number; lines: number }) {
  for (let start = 0; start < lines; start += LINES_A_CHUNK) {
    const count = Math.min(LINES_A_CHUNK, lines - start);
    const texts = Array.from({ length: count }, (_, index) => lineOf(template, first + start + index));
    yield new TextEncoder().encode(texts.join(''));
  }
}

/** Posts once and answers how long that took. */
const post = async ({
  url,
  path,
  key = PLATFORM_KEY,
}: Pick<Target, 'url' | 'key'> & { path: string }): Promise<{ elapsedMs: number; status: number }> => {
  const startedAt = clockMs();
  const response = await fetch(`${url}${path}`, { method: 'POST', headers: { 'x-api-key': key } });
  await response.text();
  return { elapsedMs: clockMs() - startedAt, status: response.status };
};

const calls = { flood, pace, uploadBatch, post };
export type LoadCalls = typeof calls;
serveParent(calls);
