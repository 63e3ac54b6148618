import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http';
import { serve } from '../support/network/listen.ts';

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
  const { url, close } = await serve(server);
  return {
    url,
    received,
    close,
  };
};

/** Answers with JSON of any status. */
export const json =
  (status: number, body: unknown, headers: Record<string, string> = {}): RequestListener =>
  (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  };
