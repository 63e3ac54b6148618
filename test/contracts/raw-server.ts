/** A provider that answers with whatever a test says, and remembers what it was sent. */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http';

export type RawServer = {
  url: string;
  received: { path: string; headers: IncomingHttpHeaders; body: string }[];
  close(): Promise<void>;
};

export const startRawServer = async (answer: RequestListener): Promise<RawServer> => {
  const received: RawServer['received'] = [];
  const server = createServer((request, response) => {
    const call = { path: request.url ?? '', headers: request.headers, body: '' };
    received.push(call);
    request.setEncoding('utf8').on('data', (part: string) => {
      call.body += part;
    });
    request.once('end', () => {
      answer(request, response);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('listens on no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    received,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
};

/** Answers with JSON of any status. */
export const json =
  (status: number, body: unknown, headers: Record<string, string> = {}): RequestListener =>
  (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  };
