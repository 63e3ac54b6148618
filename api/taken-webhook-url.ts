import { RequestError } from '../shared/errors.ts';
import { checkWebhookUrl, type WebhookUrlPolicy } from '../shared/webhooks/webhook-url.ts';

/** The URL where it is one that we deliver to; throws `webhook_url_refused` under the name `param` otherwise. */
export const takenWebhookUrl = (url: string, param: string, policy: WebhookUrlPolicy): string => {
  const refusal = checkWebhookUrl(url, policy);
  if (refusal !== null) throw new RequestError('webhook_url_refused', { param, message: refusal });
  return url;
};
