/** Batches over HTTP, as a client sends and reads them. */
import { type Batch, type ResultLine, resultLine } from '../../../shared/domain/batches/schema.ts';
import type { Answer, CallOptions, TestGateway } from '../processes/gateway.ts';

export type TestLine = { custom_id: string; body: object };

export const line = (id: string, text = id, fields: object = {}): TestLine => ({
  custom_id: id,
  body: { messages: [{ role: 'user', content: text }], ...fields },
});

export const lines = (count: number, fields: object = {}, prefix = 'line'): TestLine[] =>
  Array.from({ length: count }, (_, index) => line(`${prefix}-${index + 1}`, `${prefix} ${index + 1}`, fields));

/** POST /v1/batches as NDJSON; texts are sent as they are. */
export const upload = (
  gateway: TestGateway,
  sent: readonly (TestLine | string)[],
  { query = '', headers = {}, ...options }: CallOptions & { query?: string } = {},
): Promise<Answer> =>
  gateway.call('POST', `/v1/batches${query}`, {
    ...options,
    headers: { 'Content-Type': 'application/x-ndjson', ...headers },
    body: sent.map((each) => (typeof each === 'string' ? each : JSON.stringify(each))).join('\n'),
  });

export const acceptedBatch = ({ status, body }: Answer): Batch => {
  if (status !== 202) throw new Error(`not accepted: ${status} ${JSON.stringify(body)}`);
  return body as Batch;
};

export const readBatch = async (gateway: TestGateway, id: string, options: CallOptions = {}): Promise<Batch> => {
  const { status, body } = await gateway.call('GET', `/v1/batches/${id}`, options);
  if (status !== 200) throw new Error(`batch ${id}: ${status} ${JSON.stringify(body)}`);
  return body as Batch;
};

export const finishedBatch = async (gateway: TestGateway, id: string, options: CallOptions = {}): Promise<Batch> => {
  for (;;) {
    const { status, body } = await gateway.call('GET', `/v1/batches/${id}?wait=20`, options);
    if (status !== 200) throw new Error(`batch ${id}: ${status} ${JSON.stringify(body)}`);
    const batch = body as Batch;
    if (batch.finished_at !== null) return batch;
  }
};

export const readResults = async (
  { apis: [api] }: TestGateway,
  id: string,
  { key, after }: { key: string; after?: string | undefined },
): Promise<ResultLine[]> => {
  const query = after === undefined ? '' : `?after=${encodeURIComponent(after)}`;
  const response = await fetch(`${api?.url}/v1/batches/${id}/results${query}`, { headers: { 'X-API-Key': key } });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`results of ${id}: ${response.status} ${text}`);
  return text
    .split('\n')
    .filter(Boolean)
    .map((each) => resultLine.strict().parse(JSON.parse(each)));
};
