/** What a tenant's webhook URL must look like. Where its name leads is for the egress guard to see, at every connection. */
import { isIP } from 'node:net';
import { isReachableAddress } from './public-address.ts';

export type WebhookUrlPolicy = {
  /** For development: loopback and private targets, plain http, any port, names of one label. */
  allowPrivate: boolean;
};

type Parsed =
  /** `host` is an address without brackets or a name without a final dot: what a resolver and a certificate know. */
  { ok: true; url: URL; host: string } | { ok: false; refusal: string };

const LONGEST = 2_048;
const NAME = /^(?=.{1,253}$)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/;
/** Names that mean something else on every network (RFC 6761, 6762, 8375; ICANN resolution 2024.07.29.06 for `internal`). */
const LOCAL_NAME = /(?:^|\.)(?:localhost|local|internal|home\.arpa)$/;

/** A public sentence says why a URL is refused, and repeats nothing of it. */
export const parseWebhookUrl = (text: string, { allowPrivate }: WebhookUrlPolicy): Parsed => {
  const refuse = (refusal: string): Parsed => ({ ok: false, refusal });
  if (text.length > LONGEST) return refuse(`The webhook URL must have at most ${LONGEST} characters.`);
  // The URL parser drops some of them silently: what is stored and shown would not be what is called.
  if (/\s|\p{Cc}/u.test(text)) return refuse('The webhook URL must hold no space and no control character.');
  const url = URL.parse(text);
  if (url === null) return refuse('The webhook URL is not a valid absolute URL.');
  // Percent-encoding makes a text up to nine times as long.
  if (url.href.length > LONGEST) return refuse(`The webhook URL must have at most ${LONGEST} characters when encoded.`);
  if (url.protocol !== 'https:' && !(allowPrivate && url.protocol === 'http:'))
    return refuse('The webhook URL must begin with https://.');
  if (url.username !== '' || url.password !== '')
    return refuse('The webhook URL must hold no user and no password; verify the signature instead.');
  if (url.port !== '' && !allowPrivate) return refuse('The webhook URL must use port 443.');

  const host = url.hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
  if (isIP(host) !== 0) {
    if (isReachableAddress(host, { allowPrivate })) return { ok: true, url, host };
    return refuse('The webhook URL must lead to a public address.');
  }
  if (!NAME.test(host)) return refuse('The webhook URL does not hold a valid host name.');
  if (!allowPrivate && (!host.includes('.') || LOCAL_NAME.test(host)))
    return refuse('The webhook URL must name a public host, with a full domain name.');
  return { ok: true, url, host };
};

/** Why this URL is refused, as a public sentence; null where it is taken. Asks no network, so it is early feedback and no protection. */
export const checkWebhookUrl = (text: string, policy: WebhookUrlPolicy): string | null => {
  const parsed = parseWebhookUrl(text, policy);
  return parsed.ok ? null : parsed.refusal;
};
