/** The open connections of a server. What a client sends ahead waits for its turn, and a client that takes nothing is let go: either would have the server hold one answer after another for it. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** Requests of one connection that may wait for the answers to those before them. */
const MOST_AHEAD = 32;
/** A client is waited for at this rate. */
export const SLOWEST_BYTES_PER_MS = 64;
/** How long a client may leave a piece of an answer untaken, beside the time that it has for the piece, and how often that is looked at. */
const UNTAKEN_MS = 60_000;
const LOOK_MS = 5_000;

type Connection = {
  socket: Socket;
  /** To the request that came last; undefined when both are over. */
  lastAnswer: ServerResponse | undefined;
  ahead: number;
  /** At the last look: all that was ever written to it, and for how long nothing of that was taken. */
  writtenBytes: number;
  untakenMs: number;
};

export type Connections = {
  /** Calls `answer` when the answers to all earlier requests of the connection are out; never where the connection ends before. */
  inTurn: (request: IncomingMessage, response: ServerResponse, answer: () => void) => void;
  /** To the request that came last on a connection; undefined when both are over. */
  lastAnswer: (socket: Duplex) => ServerResponse | undefined;
  /** Resets all: an answer that is cut short must not look whole to a client of HTTP/1.0, for which the end of the connection is its end. */
  resetAll: () => void;
  /** Ends all but these. */
  endAllBut: (busy: ReadonlySet<Duplex>) => void;
};

export const keepConnections = (server: Server): Connections => {
  const connections = new Map<Duplex, Connection>();
  server.on('connection', (socket) => {
    connections.set(socket, { socket, lastAnswer: undefined, ahead: 0, writtenBytes: 0, untakenMs: 0 });
    socket.on('close', () => connections.delete(socket));
  });
  const looking = setInterval(() => connections.forEach(letGoWhereStalled), LOOK_MS).unref();
  server.on('close', () => clearInterval(looking));

  return {
    inTurn: (request, response, answer) => {
      const { socket } = request;
      const connection = connections.get(socket);
      if (!connection) return;
      connection.lastAnswer = response;
      // Everything that came with the request hangs on it.
      const letGo = (): void => {
        if (isOver(response) && connection.lastAnswer === response) connection.lastAnswer = undefined;
      };
      response.once('close', letGo);
      request.once('close', letGo);
      if (response.socket !== null) {
        answer();
        return;
      }
      connection.ahead += 1;
      if (connection.ahead > MOST_AHEAD) socket.destroy();
      // A response gets the connection when the one before it is out.
      response.once('socket', () => {
        connection.ahead -= 1;
        answer();
      });
    },
    lastAnswer: (socket) => connections.get(socket)?.lastAnswer,
    resetAll: () => {
      for (const { socket } of connections.values()) socket.resetAndDestroy();
    },
    endAllBut: (busy) => {
      for (const socket of connections.keys()) if (!busy.has(socket)) socket.destroy();
    },
  };
};

export const isOver = ({ req, writableFinished }: ServerResponse): boolean => req.complete && writableFinished;

/** While a client has not taken what was written, nothing more is written to it; how much of a piece it has taken, Node does not say. */
const letGoWhereStalled = (connection: Connection): void => {
  const { bytesWritten, writableLength } = connection.socket;
  const isTaking = writableLength === 0 || bytesWritten !== connection.writtenBytes;
  connection.writtenBytes = bytesWritten;
  connection.untakenMs = isTaking ? 0 : connection.untakenMs + LOOK_MS;
  if (connection.untakenMs >= UNTAKEN_MS + writableLength / SLOWEST_BYTES_PER_MS) connection.socket.destroy();
};
