/** The body of an upload, as fast as it is taken. */
import { RequestError } from '../../../shared/domain/errors.ts';
import type { ApiContext } from '../context.ts';
import { askForBody } from './ask-for-body.ts';
import type { UploadPace } from './upload-pace.ts';

/**
 * Throws RequestError 413 past the limit, and 408 where the client takes too long, or sends slowly while others wait for its place;
 * the time in which nobody asks for more is not the client's.
 */
export async function* readUpload(
  env: ApiContext['env'],
  { limitBytes, tooLarge, pace }: { limitBytes: number; tooLarge: () => RequestError; pace: UploadPace },
): AsyncGenerator<Buffer> {
  const body = env.incoming;
  const arrived: Buffer[] = [];
  let ended = false;
  let broken = false;
  const onData = (chunk: Buffer): void => {
    body.pause();
    arrived.push(chunk);
    pace.came(chunk.length);
  };
  const onEnd = (): void => {
    ended = true;
    pace.came(0);
  };
  const onBroken = (): void => {
    broken = true;
    pace.came(0);
  };
  body.on('data', onData).on('end', onEnd).on('error', onBroken).on('close', onBroken).pause();
  askForBody(env);

  let size = 0;
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
      // Of a client that went away nobody reads the answer.
      if (broken) throw new RequestError('request_timeout');
      body.resume();
      if (!(await pace.wait())) throw timedOut(pace);
    }
  } finally {
    body.off('data', onData).off('end', onEnd).off('error', onBroken).off('close', onBroken).pause();
  }
}

const timedOut = (pace: UploadPace): RequestError =>
  pace.hasGivenWay()
    ? new RequestError('request_timeout', {
        message:
          'The body came slowly while another upload waited for its place; send it again, faster or when fewer uploads are under way.',
      })
    : new RequestError('request_timeout');
