/** The body of a webhook’s event. */
import type { Batch } from '../batches/schema.ts';
import type { Job } from '../jobs/schema.ts';
import type { WebhookEventType } from '../webhooks/event-types.ts';
import type { JobEvent } from './schema.ts';

type Happened = {
  type: WebhookEventType;
  /** Receivers order by it. */
  occurredAtMs: number;
  /** As the API shows it; null where a test tells of nothing. */
  data: Job | Batch | null;
};

const LONGEST_BODY_BYTES = 256 * 1024;

/** The JSON text to sign and send, in UTF-8 at most 256 KiB: a result that would not fit is left out, and `result_omitted` says so. */
export const buildEventBody = ({ type, occurredAtMs, data }: Happened): string => {
  const bodyWith = (content: object): string =>
    JSON.stringify({ type, timestamp: new Date(occurredAtMs).toISOString(), data: content });
  const whole = bodyWith(data ?? {});
  if (data === null || !('result' in data) || data.result === null) return whole;
  if (Buffer.byteLength(whole) <= LONGEST_BODY_BYTES) return whole;
  const { result: _, ...rest } = data;
  return bodyWith({ ...rest, result_omitted: true } satisfies JobEvent['data']);
};
