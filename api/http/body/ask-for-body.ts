import type { IncomingMessage, ServerResponse } from 'node:http';

/** Lets a client that waits for it send its body (RFC 9110, 10.1.1): only when someone is about to read it. */
export const askForBody = ({ incoming, outgoing }: { incoming: IncomingMessage; outgoing: ServerResponse }): void => {
  const isAwaited = /^100-continue$/i.test(incoming.headers.expect ?? '') && incoming.httpVersion !== '1.0';
  if (isAwaited && !outgoing.headersSent) outgoing.writeContinue();
};
