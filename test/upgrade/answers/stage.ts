/**
 * The gateway that answers are recorded of and compared with: whole, and its providers the
 * sandbox.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { ADMIN_TOKEN } from '../../support/clients/operator.ts';
import { type Receiver, startReceiver } from '../../support/network/receiver.ts';
import { KEYS, startGateway, type TestGateway } from '../../support/processes/gateway.ts';
import type { Exchange, RecordedAnswer } from './exchange.ts';

export type Stage = { gateway: TestGateway; receiver: Receiver; url: string; close: () => Promise<void> };

/** `from`: the folder of another release's code, if it is not this one's. */
export const openStage = async (from: { root?: string } = {}): Promise<Stage> => {
  const receiver = await startReceiver();
  const gateway = await startGateway({
    apis: 0,
    workers: 0,
    env: { ADMIN_TOKEN, WEBHOOK_ALLOW_PRIVATE: 'true' },
  });
  await gateway.addWorker({}, from);
  const { url } = await gateway.addApi({}, from);
  while ((await fetch(`${url}/readyz`)).status !== 200) await delay(50);
  const close = async (): Promise<void> => {
    await gateway.stop();
    await receiver.close();
  };
  return { gateway, receiver, url, close };
};

const credential = (as: string | null): Record<string, string> => {
  if (as === null) return {};
  if (as === 'operator') return { Authorization: `Bearer ${ADMIN_TOKEN}` };
  return { 'X-API-Key': new Map(Object.entries(KEYS)).get(as) ?? as };
};

export type SentRequest = Pick<Exchange, 'call' | 'as' | 'path' | 'headers' | 'body'>;

/** Sends a request; a text is sent as it is. Headers are all that came. */
export const send = async ({ url }: Stage, { call, as, path, headers, body }: SentRequest): Promise<RecordedAnswer> => {
  const response = await fetch(`${url}${path}`, {
    method: call.split(' ')[0] ?? '',
    redirect: 'manual',
    headers: {
      ...credential(as),
      ...(body !== undefined && { 'Content-Type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body: readBody(response.headers.get('content-type') ?? '', text),
  };
};

/**
 * Of metrics the names with their types; nothing of what is made for eyes, and of the document,
 * which is kept apart.
 */
const readBody = (type: string, text: string): unknown => {
  if (type.startsWith('application/json')) {
    const body = JSON.parse(text) as object;
    return 'openapi' in body ? null : body;
  }
  if (type.startsWith('application/x-ndjson')) {
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as unknown);
  }
  if (type.startsWith('text/plain')) return [...text.matchAll(/^# TYPE (gateway_\w+ \w+)$/gm)].map(([, name]) => name);
  return null;
};
