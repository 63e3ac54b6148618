/** Who is told when a job or batch ends, as a request names it and as its record keeps it. */
import { hash } from 'node:crypto';
import type { TenantId } from '../ids.ts';
import type { WebhookEventType } from './event-types.ts';

export type Webhook = {
  /** One that `checkWebhookUrl` takes: it holds no space. */
  url: string;
  /** At least one. */
  events: readonly WebhookEventType[];
};

/** What shares one limit of deliveries at once, and is left alone when it does not answer. */
export const endpointOf = (tenant: TenantId, url: string): string =>
  hash('sha256', `${tenant}\0${new URL(url).origin}`, 'base64url').slice(0, 22);

/** The record's field `webhook`, as the scripts take it: `<endpoint> <events> <URL>`. */
export const webhookText = (tenant: TenantId, { url, events }: Webhook): string =>
  `${endpointOf(tenant, url)} ${events.join(',')} ${url}`;

/** What `webhookText` was made of. */
export const parseWebhook = (text: string): Webhook => {
  const [, events = '', url = ''] = text.split(' ');
  // A cast because only `webhookText` makes such a text.
  return { url, events: events.split(',') as WebhookEventType[] };
};
