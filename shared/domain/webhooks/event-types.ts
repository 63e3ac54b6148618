/** The events that webhooks tell of. */
import { FINAL_STATUSES } from '../jobs/states.ts';

export const JOB_EVENTS = FINAL_STATUSES.map((status) => `job.${status}` as const);

export const BATCH_EVENTS = ['batch.completed', 'batch.failed', 'batch.cancelled', 'batch.expired'] as const;

export const WEBHOOK_EVENTS = [...JOB_EVENTS, ...BATCH_EVENTS, 'webhook.test'] as const;
export type WebhookEventType = (typeof WEBHOOK_EVENTS)[number];
