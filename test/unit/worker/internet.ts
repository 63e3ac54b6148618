/** An internet on loopback: public addresses lead to servers here, every other address to one listener that nobody may reach. */

import type { RequestListener } from 'node:http';
import { createServer as createHttpsServer, type ServerOptions } from 'node:https';
import { connect, createServer as createTcpServer, type Server, Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, expect } from 'vitest';
import type { Network } from '../../../worker/deliveries/network.ts';
import { makeCertificate } from '../../support/network/certificate.ts';
import { listen } from '../../support/network/listen.ts';
import { until } from '../../support/until.ts';

/** Where `HOST` leads. Public addresses of nobody that the tests could disturb, because nothing here dials them. */
export const PUBLIC_V4 = '93.184.216.34';
export const PUBLIC_V6 = '2606:2800:220:1:248:1893:25c8:1946';
export const HOST = 'hooks.example.com';
export const URL_OF_HOST = `https://${HOST}/in?x=1`;

const certificate = makeCertificate([HOST, PUBLIC_V4]);

export type Listener = { port: number; connections: () => number };

/** What each file of tests shares. Everything is closed after each test, and a connection that is still open then fails it. */
export const createInternet = () => {
  const opened: { server: Server; sockets: Set<Socket> }[] = [];
  const dialled: { socket: Socket; address: string; port: number }[] = [];
  let forbidden: Listener = { port: 0, connections: () => 0 };

  const open = async (server: Server): Promise<Listener> => {
    const sockets = new Set<Socket>();
    let connections = 0;
    server.on('connection', (socket: Socket) => {
      connections++;
      sockets.add(socket);
      socket.on('error', () => {});
    });
    server.on('tlsClientError', () => {});
    opened.push({ server, sockets });
    return { port: await listen(server), connections: () => connections };
  };

  beforeEach(async () => {
    forbidden = await open(createTcpServer());
  });

  afterEach(async () => {
    try {
      await until('every connection is closed', () => dialled.every(({ socket }) => socket.destroyed), {
        withinMs: 500,
      });
    } finally {
      for (const { server, sockets } of opened.splice(0)) {
        for (const socket of sockets) socket.destroy();
        await new Promise((resolve) => server.close(resolve));
      }
      for (const { socket } of dialled.splice(0)) socket.destroy();
    }
  });

  type Answers = readonly string[] | ((name: string) => Promise<readonly string[]> | readonly string[]);

  return {
    dialled,
    forbiddenConnections: () => forbidden.connections(),
    forbiddenPort: () => forbidden.port,
    /** An endpoint that speaks HTTPS as it should. */
    serve: (listener: RequestListener, options: ServerOptions = {}) =>
      open(createHttpsServer({ ...certificate, ...options }, listener)),
    /** An endpoint that does with its connections, TLS done, what it likes. */
    serveTls: (onConnection: (socket: TLSSocket) => void) =>
      open(
        createTlsServer(certificate, (socket) => {
          socket.on('error', () => {});
          onConnection(socket);
        }),
      ),
    serveTcp: (onConnection: (socket: Socket) => void) => open(createTcpServer(onConnection)),

    /**
     * The seam below the guard: only resolving and dialling are replaced, so all that is judged before, between and after them is the real thing.
     * A socket that leads to a server says it leads to the public address; any other says the truth.
     */
    networkTo: (
      servers: Record<string, Listener | 'silent' | 'refusing'>,
      answers: Answers = [PUBLIC_V4],
    ): Network => ({
      resolve: async (name) => (typeof answers === 'function' ? answers(name) : answers),
      dial: (address, port) => {
        const target = servers[address];
        const socket =
          target === 'silent'
            ? new Socket()
            : connect({ host: '127.0.0.1', port: target === 'refusing' ? 1 : (target?.port ?? forbidden.port) });
        if (target !== undefined) Object.defineProperty(socket, 'remoteAddress', { value: address });
        dialled.push({ socket, address, port });
        return socket;
      },
      trust: certificate.cert,
    }),

    expectUntouched: () => {
      expect(forbidden.connections()).toBe(0);
      expect(dialled).toEqual([]);
    },
  };
};
