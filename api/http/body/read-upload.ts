/** The body of an upload, as fast as it is taken. */
import { RequestError } from '../../../shared/domain/errors.ts';
import type { ApiContext } from '../context.ts';
import { SLOWEST_BYTES_PER_MS } from '../server/connections.ts';
import { askForBody } from './ask-for-body.ts';

/** How long nothing may come. */
const IDLE_MS = 30_000;
/** How long the client may be waited for in all: so long, and longer by what it has sent. */
const PATIENCE_MS = 30_000;

/** Throws RequestError 413 past the limit, and 408 where the client takes too long; the time in which nobody asks for more is not the client's. */
export async function* readUpload(
  env: ApiContext['env'],
  { limitBytes, tooLarge }: { limitBytes: number; tooLarge: () => RequestError },
): AsyncGenerator<Buffer> {
  const body = env.incoming;
  const arrived: Buffer[] = [];
  let ended = false;
  let broken = false;
  let wake = (): void => {};
  const onData = (chunk: Buffer): void => {
    body.pause();
    arrived.push(chunk);
    wake();
  };
  const onEnd = (): void => {
    ended = true;
    wake();
  };
  const onBroken = (): void => {
    broken = true;
    wake();
  };
  body.on('data', onData).on('end', onEnd).on('error', onBroken).on('close', onBroken).pause();
  askForBody(env);

  let size = 0;
  let waitedMs = 0;
  try {
    for (;;) {
      const chunk = arrived.shift();
      if (chunk !== undefined) {
        size += chunk.length;
        if (size > limitBytes) throw tooLarge();
        yield chunk;
        continue;
      }
      if (ended) return;
      const limitMs = Math.min(IDLE_MS, PATIENCE_MS + size / SLOWEST_BYTES_PER_MS - waitedMs);
      // Of a client that went away nobody reads the answer.
      if (broken || limitMs <= 0) throw new RequestError('request_timeout');
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      const startedMs = performance.now();
      const timer = setTimeout(resolve, limitMs);
      body.resume();
      await promise;
      clearTimeout(timer);
      const passedMs = performance.now() - startedMs;
      waitedMs += passedMs;
      if (passedMs >= IDLE_MS && arrived.length === 0 && !ended) throw new RequestError('request_timeout');
    }
  } finally {
    body.off('data', onData).off('end', onEnd).off('error', onBroken).off('close', onBroken).pause();
  }
}
