/** The body of an answer as it may be read: decoded, and cut off where it is longer than any completion. */
import { pipeline, type Readable, Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import { errors } from 'undici';

/** Far more than the longest completion; an answer beyond it is not read to its end. */
export const LONGEST_ANSWER_BYTES = 32 * 1024 * 1024;

/** What every request says. RFC 9110, 12.5.3: unsaid, a server may choose any encoding. */
export const READ_AS_IT_IS = { 'accept-encoding': 'identity' } as const;

/** For whoever encodes an answer all the same. */
const DECODERS: ReadonlyMap<string, () => Transform> = new Map<string, () => Transform>([
  ['gzip', createGunzip],
  ['x-gzip', createGunzip],
  ['deflate', createInflate],
  ['br', createBrotliDecompress],
  ['zstd', createZstdDecompress],
]);

/** Each of them holds memory. */
const MAX_CODINGS = 2;

const limit = (): Transform => {
  let bytes = 0;
  return new Transform({
    transform: (chunk: Buffer, _encoding, pass) => {
      bytes += chunk.length;
      if (bytes > LONGEST_ANSWER_BYTES) pass(new errors.ResponseExceededMaxSizeError());
      else pass(null, chunk);
    },
  });
};

/** The decoders in the order of their work; none when one of them is not known: such a body stays as it is, and is no JSON. */
const decodersFor = (contentEncoding: string | null): Transform[] => {
  const codings = (contentEncoding ?? '').toLowerCase().split(',');
  const applied = codings.map((coding) => coding.trim()).filter((coding) => coding !== '' && coding !== 'identity');
  const decoders = applied.toReversed().map((coding) => DECODERS.get(coding));
  if (decoders.length > MAX_CODINGS) return [];
  return decoders.every((create) => create !== undefined) ? decoders.map((create) => create()) : [];
};

/** Fails with undici's `ResponseExceededMaxSizeError` once the body is too long, before it is decoded or after. */
export const answerBody = (raw: Readable, contentEncoding: string | null): Readable => {
  const last = limit();
  // The raw body too: an endless one may decode to nothing.
  const stages = [...decodersFor(contentEncoding).flatMap((decoder) => [limit(), decoder]), last];
  // What breaks ends all of them; whoever reads the last is told by the stream itself.
  pipeline([raw, ...stages], () => {});
  return last;
};

/** Whether a call failed because its answer is longer than `LONGEST_ANSWER_BYTES`. */
export const isTooLong = (error: unknown): boolean =>
  error instanceof errors.ResponseExceededMaxSizeError || (error instanceof Error && isTooLong(error.cause));
