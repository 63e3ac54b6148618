/** The body of a webhook's event. */
import type { WebhookEventType } from '../webhooks/event-types.ts';

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
