/** Batches: how they are submitted, listed, read, erased, cancelled and run again. */
import { batchStatusOf, finishedLines, toBatch } from '../../../../shared/domain/batches/batch.ts';
import { batch } from '../../../../shared/domain/batches/schema.ts';
import { isFinalBatch } from '../../../../shared/domain/batches/states.ts';
import { RequestError } from '../../../../shared/domain/errors.ts';
import { listOf, NAMED } from '../../../../shared/domain/wire.ts';
import type { BatchIds } from '../../../../shared/keys/digests/genuine-ids.ts';
import type { BatchStore } from '../../../../shared/storage/batches/batch-store.ts';
import type { Queues } from '../../../../shared/storage/queue/queues.ts';
import { operation } from '../../../access/operation.ts';
import { isStreamPlace, pageJson, pageQuery } from '../../../http/query/page.ts';
import { batchGone } from '../../../intake/uploads/accept-batch.ts';
import type { WaitingRoom } from '../../../intake/waiting-room.ts';
import { answerState, waitQuery } from '../answer-state.ts';
import type { TakeTurns } from '../take-turns.ts';
import { genuineBatch, storedBatch } from './named-batch.ts';
import { retryBatch } from './retry-batch.ts';
import { streamResults } from './stream-results.ts';
import { submitBatch } from './submit-batch.ts';

export const batchesQuery = pageQuery(isStreamPlace);

const batchList = listOf(batch).register(NAMED, { id: 'BatchList' });

type Needs = {
  takeTurns: TakeTurns;
  batches: BatchStore;
  batchIds: BatchIds;
  queues: Queues;
  waitingRoom: WaitingRoom;
};

export const BATCH_OPERATIONS = [
  operation({
    method: 'GET',
    path: '/v1/batches',
    access: 'jobs:read',
    summary: 'Lists batches, newest first',
    query: batchesQuery,
    answers: { 200: { description: 'A page of batches.', schema: batchList } },
    handle:
      ({ batches, takeTurns }: Needs) =>
      (c, { limit, after = null }) =>
        takeTurns(c, async () => {
          const { views, next } = await batches.list({ tenant: c.get('tenant'), limit, before: after });
          return c.json(pageJson(views.map(toBatch), next));
        }),
  }),

  submitBatch,

  operation({
    method: 'GET',
    path: '/v1/batches/:id',
    access: 'jobs:read',
    summary: 'Reads a batch with its counts as they stand, or waits for it',
    query: waitQuery,
    headers: ['If-None-Match'],
    answers: {
      200: { description: 'The batch.', schema: batch, headers: ['ETag', 'Retry-After'] },
      304: { description: 'It is as `If-None-Match` says.', headers: ['ETag', 'Retry-After'] },
    },
    errors: ['result_expired'],
    handle:
      ({ batches, batchIds, waitingRoom }: Needs) =>
      async (c, { wait }) => {
        const id = genuineBatch(c, batchIds);
        return answerState(c, waitingRoom, {
          id,
          waitSeconds: wait,
          read: (watcher) => batches.read(c.get('tenant'), id, { watcher }),
          statusOf: batchStatusOf,
          isFinal: isFinalBatch,
          changesOf: finishedLines,
          gone: batchGone,
          toJson: toBatch,
        });
      },
  }),

  operation({
    method: 'DELETE',
    path: '/v1/batches/:id',
    access: 'jobs:write',
    summary: 'Erases a final batch with all its lines',
    answers: { 204: { description: 'Erased.' } },
    errors: ['conflict', 'result_expired'],
    handle:
      ({ batches, batchIds }: Needs) =>
      async (c) => {
        const answer = await batches.erase(c.get('tenant'), genuineBatch(c, batchIds));
        if (answer === 'gone') throw batchGone();
        if (answer === 'conflict') {
          throw new RequestError('conflict', {
            message: 'Only a batch that has ended can be deleted; cancel it first.',
          });
        }
        return c.body(null, 204);
      },
  }),

  streamResults,

  operation({
    method: 'POST',
    path: '/v1/batches/:id/cancel',
    access: 'jobs:write',
    summary: 'Cancels a batch: waiting lines at once, running ones are aborted',
    answers: {
      200: { description: 'The batch, final; one that had ended before is as it was.', schema: batch },
      202: { description: 'The batch, whose running calls are being aborted.', schema: batch },
    },
    errors: ['result_expired'],
    handle:
      ({ batches, batchIds, queues }: Needs) =>
      async (c) => {
        const id = genuineBatch(c, batchIds);
        const { answer, handoffs, shard } = await batches.cancel(c.get('tenant'), id);
        // The places that it held go to the next ones.
        queues.handOff(shard, handoffs);
        if (answer === 'gone') throw batchGone();
        const view = await storedBatch(c, id, batches);
        return c.json(toBatch(view), isFinalBatch(batchStatusOf(view)) ? 200 : 202);
      },
  }),

  retryBatch,
];
