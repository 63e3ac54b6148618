/** What one attempt to deliver a webhook came to. It holds nothing of the answer but its status and its wish to wait. */

/** Why an attempt failed, as deliveries are listed. */
export const DELIVERY_FAILURES = [
  /** The name has no address, or none was told in time. */
  'dns_failed',
  /** The URL, or an address that its name leads to, is one we do not connect to. */
  'address_refused',
  /** No connection, TLS included, in time. */
  'connect_timeout',
  /** The connection was refused or had no way. */
  'connect_failed',
  /** The certificate was not accepted, or the other side does not speak TLS as we do. */
  'tls_failed',
  /** No answer in time. */
  'timeout',
  /** The connection ended before an answer; with TLS 1.3 so does one that wants a certificate of ours. */
  'reset',
  /** What came was not HTTP/1.1, or its headers were too large. */
  'bad_response',
  /** The endpoint answered 3xx; no redirect is followed. */
  'redirect',
  /** The endpoint answered 4xx or 5xx. */
  'status',
  /** A mistake on our side. */
  'internal_error',
] as const;
export type DeliveryFailure = (typeof DELIVERY_FAILURES)[number];

export type DeliveryOutcome =
  | { kind: 'delivered'; status: number; ms: number }
  | {
      kind: 'failed';
      code: DeliveryFailure;
      /** Null where no answer arrived. */
      status: number | null;
      /** How long the endpoint wishes us to wait, 0 to 24 h; null where it named no time that can be read. */
      retryAfterMs: number | null;
      /** The endpoint wants no more (410). */
      gone: boolean;
      ms: number;
    }
  /** Ended by the caller's signal: it may or may not have arrived. */
  | { kind: 'aborted'; ms: number };
