/** What a completed job is given, in the form in which Redis keeps it. */
import type { CompletionResult } from '../../shared/domain/conversation/result.ts';
import type { ForeignAnswer } from '../../shared/domain/formats.ts';
import type { BatchId, JobId, TenantId } from '../../shared/domain/ids.ts';
import type { BodyStore } from '../../shared/storage/bodies/body-store.ts';
import { LONGEST_INLINE_BYTES } from '../../shared/storage/bodies/stored-body.ts';
import type { Settlement } from '../../shared/storage/jobs/attempt-store.ts';

type AnswerOf = {
  id: JobId;
  tenant: TenantId;
  attempt: number;
  /** That the job is a line of. */
  batch: BatchId | null;
  /** As its request was. */
  sealed: boolean;
};

/** Writes an answer's pieces, if it is long; safe to call again. Rejects as `BodyStore.put` does. */
export const storeAnswer = async (
  bodies: Pick<BodyStore, 'put'>,
  result: CompletionResult | ForeignAnswer,
  { id, tenant, attempt, batch, sealed }: AnswerOf,
): Promise<NonNullable<Settlement['answer']>> => {
  const isForeign = 'bytes' in result;
  const json = isForeign ? '' : JSON.stringify(result);
  // A batch's results are read together, and each stands in one place.
  const isOwn = !isForeign && (batch !== null || (!sealed && json.length <= LONGEST_INLINE_BYTES));
  return {
    stored: isOwn
      ? json
      : await bodies.put({ tenant, id, part: 'answer', attempt }, isForeign ? result.bytes : Buffer.from(json), {
          sealed,
        }),
    mediaType: isForeign ? result.mediaType : '',
  };
};
