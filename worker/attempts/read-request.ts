/** What a job asks for, out of what Redis keeps of it. */
import type { CompletionRequest } from '../../shared/domain/completion.ts';
import type { Asked } from '../../shared/domain/formats.ts';
import type { JobId } from '../../shared/domain/ids.ts';
import type { BodyStore } from '../../shared/storage/bodies/body-store.ts';
import { piecesOf } from '../../shared/storage/bodies/stored-body.ts';
import type { Claim } from '../../shared/storage/jobs/attempt-store.ts';

/** What is built of JSON takes more memory than its bytes, which are sent on from the copy that they were read into. */
const WEIGHTS = { neutral: 4, foreign: 2 } as const;

/** Bytes that a claim's request takes in memory during its call; none to speak of if it is short. */
export const memoryFor = ({ format, request }: Pick<Claim, 'format' | 'request'>): number => {
  const { pieces, bytes } = piecesOf(request);
  return pieces === 0 ? 0 : bytes * WEIGHTS[format === 'neutral' ? format : 'foreign'];
};

/** Rejects as `BodyStore.read` does. */
export const readRequest = async (
  bodies: Pick<BodyStore, 'read'>,
  id: JobId,
  { tenant, format, request, forwarded }: Pick<Claim, 'tenant' | 'format' | 'request' | 'forwarded'>,
): Promise<Asked> => {
  // The casts: `submit` stores nothing else.
  if (request.startsWith('{')) return { format: 'neutral', request: JSON.parse(request) as CompletionRequest };
  const body = await bodies.read({ tenant, id, part: 'request', attempt: null }, request);
  return format === 'neutral'
    ? { format, request: JSON.parse(body.toString('utf8')) as CompletionRequest }
    : { format, body, headers: forwarded };
};
