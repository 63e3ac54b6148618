/** The events that webhooks tell of. */
import type { FinalStatus } from '../jobs/states.ts';

export const JOB_EVENTS = [
  'job.completed',
  'job.failed',
  'job.cancelled',
  'job.expired',
] as const satisfies readonly `job.${FinalStatus}`[];

export const BATCH_EVENTS = ['batch.completed', 'batch.failed', 'batch.cancelled', 'batch.expired'] as const;

export type WebhookEventType = (typeof JOB_EVENTS)[number] | (typeof BATCH_EVENTS)[number] | 'webhook.test';
