import type { ApiContext } from '../context.ts';

/** Aborts when the connection closes; before the answer, that is a client that no longer waits for it. */
export const clientGone = (c: ApiContext): AbortSignal => {
  const controller = new AbortController();
  c.env.outgoing.once('close', () => controller.abort());
  return controller.signal;
};
