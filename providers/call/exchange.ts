/** What the transport itself saw of one HTTP exchange with a provider. Outcomes are decided from this, never from the wording of an SDK's error. */
import { errors } from 'undici';

/** Far more than the longest completion; an answer beyond it is not read to its end. */
export const LONGEST_ANSWER_BYTES = 32 * 1024 * 1024;

export type Exchange = {
  /** Whether the request was handed to the network: before that, a failure is ours and nothing was billed. */
  sent: boolean;
  /** Whether it never left all the same, because no connection was to be had. */
  unreachable: boolean;
  /** Null until the response's headers are here. */
  response: { status: number; header: (name: string) => string | null } | null;
};

export const newExchange = (): Exchange => ({ sent: false, unreachable: false, response: null });

export const isSuccess = (status: number): boolean => status >= 200 && status < 300;

/** By these somebody on the way says that it waited too long for the provider, which may work on and bill it. 524 is Cloudflare's. */
const GAVE_UP_WAITING: ReadonlySet<number> = new Set([504, 524]);

/** Whether the provider may bill what was sent, whatever came of it: no provider bills what it answers with an error of its own. */
export const isBillable = ({ sent, unreachable, response }: Exchange): boolean =>
  sent && !unreachable && (response === null || isSuccess(response.status) || GAVE_UP_WAITING.has(response.status));

/** The error and what caused it, outermost first. */
const causesOf = (error: unknown): Error[] => (error instanceof Error ? [error, ...causesOf(error.cause)] : []);

/** Whether a call failed because its answer is longer than `LONGEST_ANSWER_BYTES`. */
export const isTooLong = (error: unknown): boolean =>
  causesOf(error).some((cause) => cause instanceof errors.ResponseExceededMaxSizeError);

/** What Node was doing when no connection came about. */
const CONNECTING: ReadonlySet<unknown> = new Set(['connect', 'getaddrinfo']);
/** Of a certificate that was refused: OpenSSL's names and Node's own. */
const CERTIFICATE_CODE = /^(CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_TLS_CERT_)/;

/** Whether an error says that there was never a connection to send on. */
const neverConnected = (error: unknown): boolean => {
  if (error instanceof AggregateError) return error.errors.every(neverConnected);
  if (!(error instanceof Error)) return false;
  if ('syscall' in error && CONNECTING.has(error.syscall)) return true;
  // Without a code it is Smithy's, of its connectionTimeout: the only time-out that it has here.
  if (!('code' in error)) return error.name === 'TimeoutError';
  return error.code === 'UND_ERR_CONNECT_TIMEOUT' || CERTIFICATE_CODE.test(String(error.code));
};

/** Runs the part of a call that is next to the socket, and notes where it found nobody. */
export const overNetwork = async <T>(exchange: Exchange, part: () => Promise<T>): Promise<T> => {
  exchange.sent = true;
  try {
    return await part();
  } catch (error) {
    if (causesOf(error).some(neverConnected)) exchange.unreachable = true;
    throw error;
  }
};
