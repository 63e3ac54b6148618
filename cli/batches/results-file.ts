/** Results in a file, which an interrupted download leaves fit to go on with. */
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { truncate } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { parseCursor } from '../../shared/domain/batches/batch.ts';
import { isBatchId } from '../../shared/domain/ids.ts';
import { CommandError } from '../command/run-command.ts';

const LINE_FEED = 0x0a;

type Whole = { lines: number; bytes: number; cursor: string | null };

/** The whole lines of a file; what follows the last of them was cut off. */
const wholeLines = async (path: string): Promise<Whole> => {
  const whole: Whole = { lines: 0, bytes: 0, cursor: null };
  if (!existsSync(path)) return whole;
  let last: Buffer[] = [];
  let current: Buffer[] = [];
  // A cast because without an encoding a file is read as bytes.
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      last = [...current, chunk.subarray(start, end)];
      current = [];
      whole.lines += 1;
      whole.bytes += last.reduce((sum, part) => sum + part.length, 1);
      start = end + 1;
    }
    current.push(chunk.subarray(start));
  }
  if (whole.lines > 0) whole.cursor = cursorIn(Buffer.concat(last).toString(), path);
  return whole;
};

const cursorIn = (line: string, path: string): string => {
  try {
    const { cursor } = JSON.parse(line) as { cursor?: unknown };
    if (typeof cursor === 'string') return cursor;
  } catch {
    // Told below.
  }
  throw new CommandError(`${path} holds something other than results; name another file with --output.`);
};

/** So many downloads in a row may break off without one more whole line. */
const MAX_VAIN_READS = 5;
const PAUSE_MS = 500;

/** The results of a batch in a file, which is refused when it holds something else. */
export const openResults = async (path: string, batch: string) => {
  let { lines, bytes, cursor } = await wholeLines(path);
  if (cursor !== null && isBatchId(batch) && parseCursor(batch, cursor) === null) {
    throw new CommandError(`${path} holds results of another batch; name another file with --output.`);
  }
  return {
    /**
     * Adds what `read` brings behind the last whole line, and answers how many lines the file has then. A download that breaks
     * off, or ends before the file has `atLeast` lines though it looks whole, goes on from its last whole line. Safe to
     * call again after any interruption.
     */
    append: async (
      read: (after: string | null) => Promise<ReadableStream<Uint8Array> | null>,
      { atLeast }: { atLeast: number },
    ): Promise<number> => {
      for (let vain = 0; ; ) {
        const body = await read(cursor);
        if (existsSync(path)) await truncate(path, bytes);
        const isWhole = body === null || (await append(path, body));
        const before = lines;
        ({ lines, bytes, cursor } = await wholeLines(path));
        if (isWhole && lines >= atLeast) return lines;
        vain = lines > before ? 0 : vain + 1;
        if (vain === MAX_VAIN_READS) {
          throw new CommandError(
            `The download broke off after ${lines} results, ${vain} times in a row at the same place. Run the same command again to go on.`,
          );
        }
        await delay(PAUSE_MS);
      }
    },
  };
};

/** False when the connection broke; an error of the file itself is thrown. */
const append = async (path: string, body: ReadableStream<Uint8Array>): Promise<boolean> => {
  let isBroken = false;
  const source = async function* (): AsyncGenerator<Uint8Array> {
    const reader = body.getReader();
    for (;;) {
      const piece = await reader.read().catch(() => null);
      isBroken = piece === null;
      if (piece === null || piece.done) return;
      yield piece.value;
    }
  };
  await pipeline(Readable.from(source()), createWriteStream(path, { flags: 'a' }));
  return !isBroken;
};
