/** The HTTP server around the app: its limits in time and size, and an answer in our form where Node would use its own. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { getRequestListener, RequestError as UnreadableRequest } from '@hono/node-server';
import type { Hono } from 'hono';
import { REQUEST_ERRORS, RequestError, type RequestErrorCode } from '../../../shared/domain/errors.ts';
import { newRequestId } from '../../../shared/domain/ids.ts';
import { describeError, type Log } from '../../../shared/domain/log.ts';
import type { ApiEnv } from '../context.ts';
import { errorBody } from '../error-form.ts';
import { isOver, keepConnections } from './connections.ts';
import { forgetRequest, partSecrets } from './request-secrets.ts';

const HEADERS_TIME_MS = 10_000;
const HEADERS_LIMIT_BYTES = 16_384;
/** How long a client may still send what was answered already before its connection is cut: cut at once, it would lose the answer. */
const LINGER_MS = 500;
/** How long a server that stops still serves what reaches it: a request that was sent before its client could know is reset otherwise. */
const LAST_REQUESTS_MS = 500;

/** Node's code of an error before a request exists; anything else is a request that cannot be read. */
const CLIENT_ERRORS: Record<string, RequestErrorCode> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
};

const MALFORMED =
  'This is not a well-formed HTTP/1.1 request: its request line, a header, its one Host header or the framing of its body cannot be read.';

type Noted = { log: Log; onRefused: (code: RequestErrorCode) => void };

/** The answer to a request that no middleware sees. */
const refusalOf = (code: RequestErrorCode, { log, onRefused }: Noted) => {
  onRefused(code);
  const requestId = newRequestId();
  log.info('request_refused', { request_id: requestId, code });
  const error = new RequestError(code, code === 'invalid_header' ? { message: MALFORMED } : {});
  const body = JSON.stringify(errorBody(error, requestId));
  const headers = {
    'Content-Type': 'application/json',
    'Content-Length': String(Buffer.byteLength(body)),
    'X-Request-Id': requestId,
    'Cache-Control': 'no-store',
    Connection: 'close',
  };
  return { status: REQUEST_ERRORS[code].status, headers, body };
};

const hasOneHost = ({ headersDistinct, httpVersion }: IncomingMessage): boolean => {
  const times = headersDistinct.host?.length ?? 0;
  return times === 1 || (times === 0 && httpVersion === '1.0');
};

/**
 * Whether a client would read what is sent now as the answer to the request that cannot be read, and not to one before it.
 * That request is the last one while its body was still arriving, else one that never came to be. A response has its socket only in its turn.
 */
const isTurnOfFault = (last: ServerResponse | undefined): boolean =>
  last === undefined || isOver(last) || (!last.req.complete && last.socket !== null && !last.headersSent);

/** An answer that breaks off ends by a reset: to HTTP/1.0 the end of the connection is the end of the body, and looks whole. */
const resetWhenCutShort = (response: ServerResponse): void => {
  const destroy = response.destroy.bind(response);
  response.destroy = (error) => {
    if (response.headersSent && !response.writableEnded) response.req.socket.resetAndDestroy();
    return destroy(error);
  };
};

export type ListeningServer = {
  host: string;
  port: number;
  /** Tells each connection with its next answer that it ends, serves for a moment what was under way, then ends those that wait for none; resolves when the last answer is out, or was cut off after `withinMs`. */
  close: (withinMs: number) => Promise<void>;
};

/** Listens, or rejects with Node's own error (`EADDRINUSE`, `EACCES`, …). */
export const listen = async (
  app: Hono<ApiEnv>,
  { host, port, idleMs, ...noted }: Noted & { host: string; port: number; idleMs: number },
): Promise<ListeningServer> => {
  const listener = getRequestListener(app.fetch, {
    // Used where a request names no host; nothing is derived from a host that it names.
    hostname: 'localhost',
    errorHandler: (error) => {
      const unreadable = error instanceof UnreadableRequest;
      if (!unreadable) noted.log.error('request_broke', describeError(error));
      const { status, headers, body } = refusalOf(unreadable ? 'invalid_header' : 'internal_error', noted);
      return new Response(body, { status, headers });
    },
  });

  const unanswered = new Set<ServerResponse>();
  let closing = false;
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    partSecrets(request);
    unanswered.add(response);
    response.on('close', () => {
      unanswered.delete(response);
      forgetRequest(request);
    });
    response.on('finish', () => {
      if (!request.complete) setTimeout(() => request.complete || request.destroy(), LINGER_MS).unref();
    });
    resetWhenCutShort(response);
    if (closing) response.shouldKeepAlive = false;
    if (hasOneHost(request)) return void listener(request, response);
    const { status, headers, body } = refusalOf('invalid_header', noted);
    response.writeHead(status, headers).end(body);
  };

  const server = createServer({
    headersTimeout: HEADERS_TIME_MS,
    // Who reads a body says how long it may take: an upload may take longer. What nobody reads ends soon after the answer.
    requestTimeout: 0,
    keepAliveTimeout: idleMs,
    // Node looks for late requests only so often: its default of 30 s would add to every limit.
    connectionsCheckingInterval: 1_000,
    maxHeaderSize: HEADERS_LIMIT_BYTES,
    // Node's own answers to these are not in our form; `hasOneHost` and `checkExpectation` take their place.
    requireHostHeader: false,
  });
  const connections = keepConnections(server);
  const serve = (request: IncomingMessage, response: ServerResponse): void =>
    connections.inTurn(request, response, () => answer(request, response));
  server.on('request', serve);
  // An expectation other than 100-continue may be ignored (RFC 9110, 10.1.1).
  server.on('checkExpectation', serve);
  // Node would ask for the body at once: whoever reads it asks, behind authentication and limits.
  server.on('checkContinue', serve);
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    if (error.code === 'ECONNRESET' || !socket.writable || !isTurnOfFault(connections.lastAnswer(socket))) {
      return socket.destroy();
    }
    const { status, headers, body } = refusalOf(CLIENT_ERRORS[error.code ?? ''] ?? 'invalid_header', noted);
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
    socket.end([`HTTP/1.1 ${status} Refused`, ...lines, '', body].join('\r\n'));
    setTimeout(() => socket.destroy(), LINGER_MS);
  });

  await started(server, host, port);
  const address = server.address();
  return {
    host,
    port: typeof address === 'object' && address ? address.port : port,
    close: (withinMs) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      // Node keeps a busy connection for its next request, and a client that goes on asking would keep the server for ever.
      closing = true;
      for (const response of unanswered) response.shouldKeepAlive = false;
      setTimeout(() => {
        server.close(() => resolve());
        // Node's own `closeIdleConnections` leaves those that never sent a request, and would wait for them.
        connections.endAllBut(new Set([...unanswered].map(({ req }) => req.socket)));
      }, LAST_REQUESTS_MS);
      setTimeout(connections.resetAll, LAST_REQUESTS_MS + withinMs).unref();
      return promise;
    },
  };
};

const started = (server: Server, host: string, port: number): Promise<void> => {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(port, host, () => resolve());
  return promise;
};
