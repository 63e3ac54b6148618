/** How a reply goes out: whole, or broken in one of the ways in which answers break. */
import type { ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';

/** `half` says that half the body is all of it; `cut` and `stall` promise all of it. Parts of a body break off behind the last one. */
export type Manner = 'whole' | 'half' | 'cut' | 'stall' | 'hang' | 'reset';

export type Sendable = {
  status: number;
  headers: Record<string, string>;
  /** In one piece, or in parts with a pause between them. */
  body: string | { parts: readonly string[]; pauseMs: number };
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
  const line: Line = { response, gone: gone.signal, closed };
  return typeof reply.body === 'string'
    ? sendWhole(line, reply, Buffer.from(reply.body))
    : sendParts(line, reply, reply.body);
};

type Line = { response: ServerResponse; gone: AbortSignal; closed: Promise<void> };

/** Resolves too if the client hangs up. */
const write = async ({ response, closed }: Line, content: Buffer | string): Promise<void> => {
  const { promise: written, resolve } = Promise.withResolvers<void>();
  response.write(content, () => resolve());
  await Promise.race([written, closed]);
};

const end = async ({ response, closed }: Line, content: Buffer | string): Promise<Sent> => {
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  response.end(content, () => resolve());
  await Promise.race([ended, closed]);
  return response.writableFinished ? 'whole' : 'abandoned';
};

const breakOff = async ({ response, closed }: Line, manner: 'cut' | 'stall'): Promise<Sent> => {
  if (manner === 'cut') response.socket?.destroy();
  await closed;
  return manner === 'cut' ? 'broken' : 'abandoned';
};

const sendWhole = async (line: Line, { status, headers, manner }: Sendable, whole: Buffer): Promise<Sent> => {
  const half = whole.subarray(0, whole.length / 2);
  const promised = manner === 'half' ? half : whole;
  line.response.writeHead(status, { ...headers, 'content-length': promised.length });
  if (manner !== 'cut' && manner !== 'stall') return end(line, promised);
  await write(line, half);
  return breakOff(line, manner);
};

type Parts = Exclude<Sendable['body'], string>;

const sendParts = async (
  line: Line,
  { status, headers, manner }: Sendable,
  { parts, pauseMs }: Parts,
): Promise<Sent> => {
  line.response.writeHead(status, headers);
  line.response.flushHeaders();
  for (const [at, part] of parts.entries()) {
    if (at > 0 && pauseMs > 0) await wait(pauseMs, undefined, { signal: line.gone }).catch(() => undefined);
    if (line.response.destroyed) return 'abandoned';
    await write(line, part);
  }
  return manner === 'cut' || manner === 'stall' ? breakOff(line, manner) : end(line, '');
};
