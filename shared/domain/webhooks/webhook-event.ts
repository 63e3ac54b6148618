/** The events that webhooks tell of, and the body that tells it. */
import type { FinalStatus } from '../jobs/job.ts';

export const JOB_EVENTS = [
  'job.completed',
  'job.failed',
  'job.cancelled',
  'job.expired',
] as const satisfies readonly `job.${FinalStatus}`[];

export const BATCH_EVENTS = ['batch.completed', 'batch.failed', 'batch.cancelled', 'batch.expired'] as const;

export type WebhookEventType = (typeof JOB_EVENTS)[number] | (typeof BATCH_EVENTS)[number] | 'webhook.test';

type WebhookEvent = {
  type: WebhookEventType;
  /** When it happened; receivers order by it. */
  occurredAtMs: number;
  /** The job with its result, or the batch, as the API shows it. */
  data: Readonly<Record<string, unknown>>;
};

const LONGEST_BODY_BYTES = 256 * 1024;

/** The JSON text to sign and send, in UTF-8 at most 256 KiB: a result that would not fit is left out, and `result_omitted` says so. */
export const buildEventBody = ({ type, occurredAtMs, data }: WebhookEvent): string => {
  const bodyWith = (content: WebhookEvent['data']): string =>
    JSON.stringify({ type, timestamp: new Date(occurredAtMs).toISOString(), data: content });
  const whole = bodyWith(data);
  const { result, ...rest } = data;
  const isTooLong = Buffer.byteLength(whole) > LONGEST_BODY_BYTES;
  return isTooLong && result !== undefined && result !== null ? bodyWith({ ...rest, result_omitted: true }) : whole;
};
