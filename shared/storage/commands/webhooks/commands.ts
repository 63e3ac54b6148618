/** Deliveries of events to tenants' endpoints, and the secrets that sign them. */
import type { TenantId } from '../../../domain/ids.ts';
import type { WebhookEventType } from '../../../domain/webhooks/event-types.ts';
import type { Handoff } from '../../queue/queues.ts';
import { command } from '../command.ts';

type DeliveryClaimReply =
  | ['refused', Handoff[]]
  | [
      'claimed',
      attempt: number,
      TenantId,
      subject: string,
      WebhookEventType,
      url: string,
      happened: string,
      failures: number,
      secrets: string[],
    ];

type RedeliverReply = [
  'gone' | 'subject_gone' | 'too_soon' | 'done',
  sent: number,
  more: number,
  nowMs: number,
  Handoff[],
  left: number,
];

export const claimDelivery = command('webhooks/claim-delivery', {
  id: 'text',
  handoff: 'text',
  mark: 'text',
  maxFailures: 'whole',
}).answers<DeliveryClaimReply>();

export const settleDelivery = command('webhooks/settle-delivery', {
  id: 'text',
  attempt: 'text',
  mark: 'text',
  next: 'text',
  code: 'text',
  status: 'text',
  durationMs: 'whole',
  waitMs: 'whole',
  reason: 'text',
}).answers<['delivered' | 'pending' | 'failed' | 'late' | 'repeated' | 'gone', Handoff[]]>();

export const tend = command('webhooks/tend', { slots: 'whole' }).answers<[more: 0 | 1, Handoff[]]>();

export const redeliver = command('webhooks/redeliver', {
  tenant: 'text',
  id: 'text',
  fromMs: 'text',
  toMs: 'text',
  skip: 'whole',
}).answers<RedeliverReply>();

export const testWebhook = command('webhooks/test-webhook', {
  id: 'text',
  tenant: 'text',
  endpoint: 'text',
  url: 'text',
  watcher: 'text',
  maxStoredBytes: 'whole',
}).answers<['sent', Handoff[]] | ['too_many_stored_bytes', stored: number, own: number]>();

export const resealWebhookSecret = command('webhooks/reseal-webhook-secret', {
  tenant: 'text',
  field: 'text',
  read: 'text',
  sealed: 'text',
}).answers<0 | 1>();

export const putWebhookSecret = command('webhooks/put-webhook-secret', {
  tenant: 'text',
  sealed: 'text',
  overlapMs: 'text',
  platformKey: 'text',
}).answers<string[]>();

export const readWebhookSecret = command('webhooks/read-webhook-secret', {
  tenant: 'text',
  platformKey: 'text',
}).answers<string[]>();
