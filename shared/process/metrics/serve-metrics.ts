/** `/metrics` on a port of its own, for whoever scrapes it: the API's port is for clients, and a worker has no other. */
import { createServer } from 'node:http';
import { describeError, type Log } from '../../domain/log.ts';
import { ConfigError } from '../../domain/wording/config-error.ts';

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** Rejects with ConfigError where the port cannot be had. */
export const serveMetrics = async ({
  host,
  port,
  render,
  log,
}: {
  host: string;
  port: number;
  render: () => Promise<string>;
  log: Log;
}): Promise<{ close: () => Promise<void> }> => {
  const server = createServer({ requestTimeout: 5_000, maxHeaderSize: 16_384 }, (request, response) => {
    const path = request.url?.split('?')[0];
    if (path !== '/metrics' || (request.method !== 'GET' && request.method !== 'HEAD')) {
      response.writeHead(404, { 'Content-Type': 'text/plain' }).end('Only GET /metrics is here.\n');
      return;
    }
    render().then(
      (text) => response.writeHead(200, { 'Content-Type': METRICS_TYPE, 'Cache-Control': 'no-store' }).end(text),
      (error: unknown) => {
        log.error('metrics_broke', describeError(error));
        response.writeHead(500).end();
      },
    );
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(port, host, () => resolve());
  await promise.catch(({ code = 'unknown' }: NodeJS.ErrnoException) => {
    throw new ConfigError([
      `METRICS_PORT: port ${port} on ${host} cannot be opened (${code}). Each process on a machine needs a METRICS_PORT of its own; 0 takes any free one.`,
    ]);
  });
  const address = server.address();
  log.info('metrics_listening', { host, port: typeof address === 'object' && address ? address.port : port });
  return {
    close: async () => {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      server.closeAllConnections();
      await closed.promise;
    },
  };
};
