/** What follows a batch that is submitted, in whichever way. */
import { batchStatusOf, toBatch } from '../../../../shared/domain/batches/batch.ts';
import { batch } from '../../../../shared/domain/batches/schema.ts';
import { isFinalBatch } from '../../../../shared/domain/batches/states.ts';
import type { Answers } from '../../../access/operation.ts';
import type { ApiContext } from '../../../http/context.ts';
import type { AcceptedBatch } from '../../../intake/uploads/accept-batch.ts';

export const ACCEPTED_BATCH = {
  200: {
    description: 'An Idempotency-Key was repeated, and the batch is final.',
    schema: batch,
    headers: ['Location', 'Idempotency-Replayed'],
  },
  202: {
    description: 'The accepted batch.',
    schema: batch,
    headers: ['Location', 'Retry-After', 'Idempotency-Replayed'],
  },
} as const satisfies Answers;

/** 202 with the batch; 200 where an earlier one that is final comes back. */
export const answerAccepted = (c: ApiContext, { view, replayed }: AcceptedBatch): Response => {
  c.get('logged').batch_id = view.id;
  if (replayed) c.header('Idempotency-Replayed', 'true');
  c.header('Location', `/v1/batches/${view.id}`);
  if (isFinalBatch(batchStatusOf(view))) return c.json(toBatch(view), 200);
  c.header('Retry-After', '1');
  return c.json(toBatch(view), 202);
};
