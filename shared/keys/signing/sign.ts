/** Signatures of Standard Webhooks 1.0 (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md), symmetric. */
import { createHmac, randomBytes } from 'node:crypto';
import { Secret } from '../secret.ts';

declare const brand: unique symbol;
/** `whsec_` and 32 bytes in base64, drawn or checked here. */
export type WebhookSecret = Secret & { readonly [brand]: 'webhook' };

const SECRET_BYTES = 32;
const SECRET = /^whsec_([A-Za-z0-9+/]{43}=)$/;

// The two casts in this file: this is where webhook secrets come from.
export const drawWebhookSecret = (): WebhookSecret =>
  new Secret(`whsec_${randomBytes(SECRET_BYTES).toString('base64')}`) as WebhookSecret;

/** Null for anything but `whsec_` and exactly 32 bytes in canonical base64: with an empty or short secret anybody could sign. */
export const parseWebhookSecret = (secret: Secret): WebhookSecret | null => {
  const [, encoded = ''] = SECRET.exec(secret.reveal()) ?? [];
  // Node's decoder ignores stray last bits, so two texts could stand for one secret.
  const isCanonical = encoded !== '' && Buffer.from(encoded, 'base64').toString('base64') === encoded;
  return isCanonical ? (secret as WebhookSecret) : null;
};

type Message = {
  /** Holds no full stop: it would move what the signature covers. */
  id: string;
  /** Of this attempt, in whole Unix seconds: receivers refuse what is minutes old. */
  timestampSeconds: number;
  body: string;
};

/** The `webhook-signature` header: one `v1,…` for each secret, in their order, so that receivers with the old or the new one are content during a rotation. */
export const signWebhook = (
  { id, timestampSeconds, body }: Message,
  secrets: readonly [WebhookSecret, ...WebhookSecret[]],
): string => {
  if (!/^[A-Za-z0-9_-]+$/.test(id)) throw new RangeError('a webhook id holds letters, digits, "_" and "-" only');
  if (!Number.isSafeInteger(timestampSeconds)) throw new RangeError('timestampSeconds must be a whole number');
  return secrets.map((secret) => `v1,${signatureOf(`${id}.${timestampSeconds}.`, body, secret)}`).join(' ');
};

const signatureOf = (head: string, body: string, secret: WebhookSecret): string => {
  const key = Buffer.from(secret.reveal().slice('whsec_'.length), 'base64');
  const signature = createHmac('sha256', key).update(head).update(body, 'utf8').digest('base64');
  key.fill(0);
  return signature;
};
