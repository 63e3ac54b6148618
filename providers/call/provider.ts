/** The contract behind which each provider's SDK lives: a request in, in our words or the provider's own, and an outcome out. */
import type { CompletionRequest } from '../../shared/domain/completion.ts';
import type { ForeignRequest } from '../../shared/domain/formats.ts';
import type { Outcome } from '../../shared/domain/outcome.ts';
import type { Traceparent } from '../../shared/domain/traceparent.ts';
import type { Secret } from '../../shared/keys/secret.ts';
import type { EventSink } from './events/read-events.ts';

export type { EventSink };

/** What is the same for every call. */
export type BoundedCall = {
  /** The user's own key; null runs on the platform's account. An adapter refuses a call whose credential it cannot use. */
  userKey: Secret | null;
  /** Sent along, so that the provider's own trace can be joined; null where there is no trace. */
  traceparent: Traceparent | null;
  /** Bounds the whole call, answer included. */
  timeoutMs: number;
  /** Aborts the call and closes its socket. */
  signal: AbortSignal;
};

export type ProviderCall = BoundedCall & { request: CompletionRequest };
/** Of one of the formats that the provider's manifest names. */
export type ForeignCall = BoundedCall & {
  request: ForeignRequest;
  /**
   * For a request that asks for a stream; null takes the answer in one piece. A completed outcome has all that the sink was
   * given. It was given nothing if the provider answered in another form: then the outcome's media type is that form's.
   */
  events: EventSink | null;
};

export type ProviderAdapter = {
  /** Makes exactly one call and never throws: whatever happens, an outcome is returned that holds nothing of the provider's raw error. */
  complete(call: ProviderCall): Promise<Outcome>;
  /** The same with a body that is sent as it is; a completed outcome has the answer's own bytes. */
  pass(call: ForeignCall): Promise<Outcome>;
  close(): Promise<void>;
};
