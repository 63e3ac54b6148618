/** How a reply goes out: whole, or broken in one of the ways in which answers break. */
import type { ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';

/** `half` says that half the body is all of it; `cut` and `stall` promise all of it. */
export type Manner = 'whole' | 'half' | 'cut' | 'stall' | 'hang' | 'reset';

export type Sendable = {
  status: number;
  headers: Record<string, string>;
  body: string;
  manner: Manner;
  waitMs: number;
};

/** `whole`: all of it went out. `broken`: it was broken off here, as asked for. `abandoned`: the client hung up before. */
export type Sent = 'whole' | 'broken' | 'abandoned';

export const sendReply = async (response: ServerResponse, reply: Sendable): Promise<Sent> => {
  const { manner, waitMs } = reply;
  const gone = new AbortController();
  const closed = new Promise<void>((resolve) => {
    response.once('close', () => {
      gone.abort();
      resolve();
    });
  });
  if (waitMs > 0) await wait(waitMs, undefined, { signal: gone.signal }).catch(() => undefined);
  if (response.destroyed) return 'abandoned';

  if (manner === 'reset') {
    response.socket?.resetAndDestroy();
    return 'broken';
  }
  if (manner === 'hang') {
    await closed;
    return 'abandoned';
  }
  const whole = Buffer.from(reply.body);
  const half = whole.subarray(0, whole.length / 2);
  const promised = manner === 'half' ? half : whole;
  response.writeHead(reply.status, { ...reply.headers, 'content-length': promised.length });
  if (manner === 'cut' || manner === 'stall') {
    const written = new Promise<void>((resolve) => {
      response.write(half, () => resolve());
    });
    await Promise.race([written, closed]);
    if (manner === 'cut') response.socket?.destroy();
    await closed;
    return manner === 'cut' ? 'broken' : 'abandoned';
  }
  const ended = new Promise<void>((resolve) => {
    response.end(promised, () => resolve());
  });
  await Promise.race([ended, closed]);
  return response.writableFinished ? 'whole' : 'abandoned';
};
