import { RequestError } from '../../shared/domain/errors.ts';
import { checkWebhookUrl } from '../../shared/domain/webhooks/webhook-url.ts';
import { holdsKey } from '../../shared/keys/key-shapes.ts';
import type { Config } from '../../shared/process/config/config.ts';

/** The URL where it is one that we deliver to; throws `webhook_url_refused` under the name `param` otherwise. */
export const takenWebhookUrl = (
  url: string,
  param: string,
  { production, webhooks }: Pick<Config, 'production' | 'webhooks'>,
): string => {
  if (holdsKey(url)) {
    const message =
      'The webhook URL holds what looks like a key; it is stored and shown, and keys belong in headers only.';
    throw new RequestError('webhook_url_refused', { param, message });
  }
  const refusal = checkWebhookUrl(url, webhooks);
  if (refusal === null) return url;
  const isOpenToDevelopers = !production && checkWebhookUrl(url, { allowPrivate: true }) === null;
  const advice = ' To try it on this machine, start the gateway with WEBHOOK_ALLOW_PRIVATE=true.';
  throw new RequestError('webhook_url_refused', { param, message: `${refusal}${isOpenToDevelopers ? advice : ''}` });
};
