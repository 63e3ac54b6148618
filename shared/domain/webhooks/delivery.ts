/** A delivery: one event on its way to one URL, as Redis keeps it and as the API shows it. */
import type { DeliveryId } from '../ids.ts';
import type { DeliveryRecord } from '../records/delivery-record.ts';
import type { DeliveryCode, DeliveryReason, DeliveryStatus } from './delivery-states.ts';
import type { WebhookEventType } from './event-types.ts';
import type { Delivery } from './schema.ts';

const isoTime = (ms: string): string => new Date(Number(ms)).toISOString();

/** `dueMs`: when its next step is due. */
export const toDelivery = (id: DeliveryId, record: DeliveryRecord, dueMs: string): Delivery => {
  const { subject = '', attempts: made = '0' } = record;
  const attempts = Object.entries(record)
    .filter(([field]) => field.startsWith('attempt:'))
    .map(([field, row]) => {
      const [started = '', ms, code, status] = (row ?? '').split('|');
      return {
        number: Number(field.slice('attempt:'.length)),
        started_at: isoTime(started),
        duration_ms: ms ? Number(ms) : null,
        // The casts in this function: only the scripts write these, from typed values.
        code: (code || null) as DeliveryCode | null,
        status: status ? Number(status) : null,
      };
    })
    .sort((a, b) => a.number - b.number);
  return {
    id,
    object: 'webhook_delivery',
    type: record.type as WebhookEventType,
    job_id: subject.startsWith('job_') ? subject : null,
    batch_id: subject.startsWith('batch_') ? subject : null,
    url: record.url ?? '',
    status: record.status as DeliveryStatus,
    reason: (record.reason ?? null) as DeliveryReason | null,
    created_at: isoTime(record.happened ?? ''),
    finished_at: record.finished ? isoTime(record.finished) : null,
    next_attempt_at: record.at === 'due' ? isoTime(dueMs) : null,
    attempts,
    attempts_omitted: Number(made) - attempts.length,
  };
};
