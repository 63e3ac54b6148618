/** What the transport itself saw of one HTTP exchange with a provider. Outcomes are decided from this, never from the wording of an SDK's error. */
import type { Agent } from 'node:http';
import { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

export type Exchange = {
  /** Whether the request was handed to the network: before that, a failure is ours and nothing was billed. */
  sent: boolean;
  /** Whether it never left all the same, because no connection was to be had. */
  unreachable: boolean;
  /** Null until the response's headers are here. */
  response: { status: number; header: (name: string) => string | null } | null;
  /** The response's body, decoded, when all of it is here; null if nobody needs it as bytes. */
  received: Buffer | null;
  /** Whether content of an answer in events was handed on. */
  hasContent: boolean;
};

export const newExchange = (): Exchange => ({
  sent: false,
  unreachable: false,
  response: null,
  received: null,
  hasContent: false,
});

export const isSuccess = (status: number): boolean => status >= 200 && status < 300;

/** By these somebody on the way says that it waited too long for the provider, which may work on and bill it. 524 is Cloudflare's. */
const GAVE_UP_WAITING: ReadonlySet<number> = new Set([504, 524]);

/** Whether the provider may bill what was sent, whatever came of it: no provider bills what it answers with an error of its own. */
export const isBillable = ({ sent, unreachable, response }: Exchange): boolean =>
  sent && !unreachable && (response === null || isSuccess(response.status) || GAVE_UP_WAITING.has(response.status));

/** The errors by which connections did not come about, whatever stopped them: a name, a route, a port, a certificate, TLS. */
const connectFailures = new WeakSet<Error>();

export const noteConnectFailure = (error: Error): void => {
  connectFailures.add(error);
};

const watchConnecting = (socket: Socket): void => {
  socket.once('error', noteConnectFailure);
  socket.once(socket instanceof TLSSocket ? 'secureConnect' : 'connect', () => {
    socket.off('error', noteConnectFailure);
  });
};

/** An agent of Node's that notes its failures to connect. */
export const watchedAgent = <A extends Agent>(agent: A): A => {
  const create = agent.createConnection.bind(agent);
  agent.createConnection = (...given) => {
    const socket = create(...given);
    if (socket instanceof Socket) watchConnecting(socket);
    return socket;
  };
  return agent;
};

/** The error and what caused it, outermost first. */
const causesOf = (error: unknown): Error[] => (error instanceof Error ? [error, ...causesOf(error.cause)] : []);

/** Without a code, a time-out is Smithy's, of its connectionTimeout: the only one that it has here. */
const neverConnected = (error: Error): boolean =>
  connectFailures.has(error) || (error.name === 'TimeoutError' && !('code' in error));

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
