/** The events that webhooks tell of. */
import type { FinalStatus } from '../jobs/states.ts';

export const JOB_EVENTS = [
  'job.completed',
  'job.failed',
  'job.cancelled',
  'job.expired',
] as const satisfies readonly `job.${FinalStatus}`[];

export const BATCH_EVENTS = ['batch.completed', 'batch.failed', 'batch.cancelled', 'batch.expired'] as const;

export const WEBHOOK_EVENTS = [...JOB_EVENTS, ...BATCH_EVENTS, 'webhook.test'] as const;
export type WebhookEventType = (typeof WEBHOOK_EVENTS)[number];
