/** What the transport itself saw of one HTTP exchange with a provider. Outcomes are decided from this, never from the wording of an SDK's error. */
export type Exchange = {
  /** Whether the request was handed to the network: before that, a failure is ours and nothing was billed. */
  sent: boolean;
  /** Whether it never left all the same, because no connection was to be had. */
  unreachable: boolean;
  /** Null until the response's headers are here. */
  response: { status: number; header: (name: string) => string | null } | null;
};

export const newExchange = (): Exchange => ({ sent: false, unreachable: false, response: null });

/** Whether the provider may bill what was sent, whatever came of it: no provider bills what it answers with an error. */
export const isBillable = ({ sent, unreachable, response }: Exchange): boolean =>
  sent && !unreachable && (response === null || (response.status >= 200 && response.status < 300));

/** Of a connection that was never there: those of Node's sockets and resolver, and undici's own. */
const UNREACHABLE_CODES: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** Runs the part of a call that is next to the socket, and notes where it found nobody. */
export const overNetwork = async <T>(exchange: Exchange, part: () => Promise<T>): Promise<T> => {
  exchange.sent = true;
  try {
    return await part();
  } catch (error) {
    for (let cause = error; cause instanceof Error; cause = cause.cause) {
      if ('code' in cause && UNREACHABLE_CODES.has(cause.code)) exchange.unreachable = true;
    }
    throw error;
  }
};
