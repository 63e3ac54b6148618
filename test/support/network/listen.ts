/** Servers of tests, each on a free port of 127.0.0.1. */
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { Server as SocketServer } from 'node:net';

/** Answers the port. */
export const listen = async (server: SocketServer): Promise<number> => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('listens on no port');
  return address.port;
};

/** `close` ends its connections too, and resolves when the last is gone. */
export const serve = async (server: Server): Promise<{ url: string; port: number; close: () => Promise<void> }> => {
  const port = await listen(server);
  const close = async (): Promise<void> => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  };
  return { url: `http://127.0.0.1:${port}`, port, close };
};
