import type { Hono } from 'hono';
import { type BatchView, batchStatusOf, finishedLines, toBatch } from '../../../../shared/domain/batches/batch.ts';
import { isFinalBatch } from '../../../../shared/domain/batches/states.ts';
import { RequestError } from '../../../../shared/domain/errors.ts';
import type { BatchId } from '../../../../shared/domain/ids.ts';
import type { BatchIds } from '../../../../shared/keys/digests/genuine-ids.ts';
import type { BatchStore } from '../../../../shared/storage/batches/batch-store.ts';
import type { Queues } from '../../../../shared/storage/queue/queues.ts';
import { route } from '../../../access/operation.ts';
import type { ReadJson } from '../../../http/body/read-json.ts';
import type { ApiContext, ApiEnv } from '../../../http/context.ts';
import { isStreamPlace, pageJson, pageQuery } from '../../../http/query/page.ts';
import { noQuery, readQuery } from '../../../http/query/read-query.ts';
import { batchGone, noBatch } from '../../../intake/uploads/accept-batch.ts';
import type { WaitingRoom } from '../../../intake/waiting-room.ts';
import { answerState, waitQuery } from '../answer-state.ts';
import type { TakeTurns } from '../take-turns.ts';
import { retryBatch } from './retry-batch.ts';
import { streamResults } from './stream-results.ts';
import { type SubmitNeeds, submitBatch } from './submit-batch.ts';

export const batchesQuery = pageQuery(isStreamPlace);

type Needs = SubmitNeeds & {
  readJson: ReadJson;
  takeTurns: TakeTurns;
  batches: BatchStore;
  batchIds: BatchIds;
  queues: Queues;
  waitingRoom: WaitingRoom;
};

export const addBatchRoutes = (app: Hono<ApiEnv>, needs: Needs): void => {
  const { batches, batchIds, queues, waitingRoom, takeTurns } = needs;

  const genuineId = (c: ApiContext): BatchId => {
    const id = c.req.param('id') ?? '';
    if (!batchIds.isGenuine(c.get('tenant'), id)) throw noBatch();
    c.get('logged').batch_id = id;
    return id;
  };
  const stored = async (c: ApiContext, id: BatchId): Promise<BatchView> => {
    const view = await batches.read(c.get('tenant'), id, { watcher: null });
    if (view === null) throw batchGone();
    return view;
  };

  route(app, '/v1/batches', {
    GET: takeTurns(async (c) => {
      const { limit, after = null } = readQuery(c, batchesQuery);
      const { views, next } = await batches.list({ tenant: c.get('tenant'), limit, before: after });
      return c.json(pageJson(views.map(toBatch), next));
    }),
    POST: (c) => submitBatch(c, needs),
  });

  route(app, '/v1/batches/:id', {
    GET: async (c) => {
      const { wait } = readQuery(c, waitQuery);
      const id = genuineId(c);
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
    DELETE: async (c) => {
      readQuery(c, noQuery);
      const answer = await batches.erase(c.get('tenant'), genuineId(c));
      if (answer === 'gone') throw batchGone();
      if (answer === 'conflict') {
        throw new RequestError('conflict', { message: 'Only a batch that has ended can be deleted; cancel it first.' });
      }
      return c.body(null, 204);
    },
  });

  route(app, '/v1/batches/:id/results', { GET: (c) => streamResults(c, genuineId(c), batches) });

  route(app, '/v1/batches/:id/cancel', {
    POST: async (c) => {
      readQuery(c, noQuery);
      const id = genuineId(c);
      const { answer, handoffs, shard } = await batches.cancel(c.get('tenant'), id);
      // The places that it held go to the next ones.
      queues.handOff(shard, handoffs);
      if (answer === 'gone') throw batchGone();
      const view = await stored(c, id);
      return c.json(toBatch(view), isFinalBatch(batchStatusOf(view)) ? 200 : 202);
    },
  });

  route(app, '/v1/batches/:id/retry', {
    POST: async (c) => {
      const id = genuineId(c);
      return retryBatch(c, id, () => stored(c, id), needs);
    },
  });
};
