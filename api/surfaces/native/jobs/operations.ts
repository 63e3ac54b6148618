import type { Hono } from 'hono';
import { z } from 'zod';
import { RequestError } from '../../../../shared/domain/errors.ts';
import type { JobId } from '../../../../shared/domain/ids.ts';
import { attemptsOf, type JobView, statusOf, toJob, toListedJob } from '../../../../shared/domain/jobs/job.ts';
import { isFinal, JOB_STATUSES } from '../../../../shared/domain/jobs/states.ts';
import type { BatchIds, JobIds } from '../../../../shared/keys/digests/genuine-ids.ts';
import type { ApiMetrics } from '../../../../shared/process/metrics/api-metrics.ts';
import type { BatchStore } from '../../../../shared/storage/batches/batch-store.ts';
import type { JobStore } from '../../../../shared/storage/jobs/job-store.ts';
import type { Queues } from '../../../../shared/storage/queue/queues.ts';
import { route } from '../../../access/operation.ts';
import type { ApiContext, ApiEnv } from '../../../http/context.ts';
import { isStreamPlace, pageJson, pageQuery } from '../../../http/query/page.ts';
import { noQuery, readQuery } from '../../../http/query/read-query.ts';
import { batchGone, noBatch } from '../../../intake/uploads/accept-batch.ts';
import type { WaitingRoom } from '../../../intake/waiting-room.ts';
import { answerState, waitQuery } from '../answer-state.ts';
import type { TakeTurns } from '../take-turns.ts';

/** In the list of all jobs, or by its number among the lines of a batch. */
const isPlace = (text: string): text is string => isStreamPlace(text) || /^\d{1,7}$/.test(text);

export const jobsQuery = pageQuery(isPlace).extend({
  status: z.enum(JOB_STATUSES).optional(),
  batch_id: z.string().optional(),
});

const noJob = () => new RequestError('not_found', { message: 'No job of this tenant has this id.' });

type Needs = {
  jobs: JobStore;
  jobIds: JobIds;
  batches: Pick<BatchStore, 'lines'>;
  batchIds: BatchIds;
  queues: Queues;
  waitingRoom: WaitingRoom;
  takeTurns: TakeTurns;
  metrics: ApiMetrics;
};

export const addJobRoutes = (
  app: Hono<ApiEnv>,
  { jobs, jobIds, batches, batchIds, queues, waitingRoom, takeTurns, metrics }: Needs,
): void => {
  const genuineId = (c: ApiContext): JobId => {
    const id = c.req.param('id') ?? '';
    if (!jobIds.isGenuine(c.get('tenant'), id)) throw noJob();
    c.get('logged').job_id = id;
    return id;
  };

  route(app, '/v1/jobs/:id', {
    GET: async (c) => {
      const { wait } = readQuery(c, waitQuery);
      const tenant = c.get('tenant');
      const id = genuineId(c);
      return answerState(c, waitingRoom, {
        id,
        waitSeconds: wait,
        read: (watcher) => jobs.read(tenant, id, { watcher }),
        isFinal,
        statusOf,
        changesOf: attemptsOf,
        gone: () => new RequestError('result_expired'),
        toJson: (view) => toJob(view),
      });
    },
    DELETE: async (c) => {
      readQuery(c, noQuery);
      const answer = await jobs.erase(c.get('tenant'), genuineId(c));
      if (answer === 'gone') throw new RequestError('result_expired');
      if (answer === 'conflict') {
        throw new RequestError('conflict', { message: 'Only a job that has ended can be deleted; cancel it first.' });
      }
      return c.body(null, 204);
    },
  });

  route(app, '/v1/jobs/:id/cancel', {
    POST: async (c) => {
      readQuery(c, noQuery);
      const tenant = c.get('tenant');
      const id = genuineId(c);
      const { answer, handoffs, shard } = await jobs.cancel(tenant, id);
      // The place it held goes to the next one.
      queues.handOff(shard, handoffs);
      if (answer === 'cancelled') metrics.waitingJobsCancelled(1);
      const view = answer === 'gone' ? null : await jobs.read(tenant, id, { watcher: null });
      if (view === null) throw new RequestError('result_expired');
      return c.json(toJob(view), isFinal(statusOf(view)) ? 200 : 202);
    },
  });

  route(app, '/v1/jobs', {
    GET: takeTurns(async (c) => {
      const { status = null, batch_id, limit, after = null } = readQuery(c, jobsQuery);
      const tenant = c.get('tenant');
      if (after !== null && isStreamPlace(after) !== (batch_id === undefined)) {
        throw new RequestError('invalid_query', {
          param: 'after',
          message: 'after must be the next_cursor of an earlier answer to the same question.',
        });
      }
      if (batch_id === undefined) {
        const { views, next } = await jobs.list({ tenant, status, limit, before: after });
        return c.json(jobPage(views, next));
      }
      if (!batchIds.isGenuine(tenant, batch_id)) {
        throw noBatch('batch_id');
      }
      const lines = await batches.lines({
        tenant,
        batch: batch_id,
        status,
        limit,
        after: after === null ? null : Number(after),
      });
      if (lines === null) throw batchGone();
      return c.json(jobPage(lines.views, lines.next?.toString() ?? null));
    }),
  });
};

const jobPage = (views: readonly JobView[], next: string | null) =>
  pageJson(
    views.map((view) => toListedJob(view)),
    next,
  );
