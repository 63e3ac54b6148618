/** Jobs: how they are submitted, listed, read, erased and cancelled. */
import { z } from 'zod';
import { RequestError } from '../../../../shared/domain/errors.ts';
import type { JobId } from '../../../../shared/domain/ids.ts';
import { attemptsOf, type JobView, statusOf, toJob, toListedJob } from '../../../../shared/domain/jobs/job.ts';
import { job, listedJob } from '../../../../shared/domain/jobs/schema.ts';
import { isFinal, JOB_STATUSES } from '../../../../shared/domain/jobs/states.ts';
import { listOf, NAMED } from '../../../../shared/domain/wire.ts';
import type { BatchIds, JobIds } from '../../../../shared/keys/digests/genuine-ids.ts';
import type { ApiMetrics } from '../../../../shared/process/metrics/api-metrics.ts';
import type { BatchStore } from '../../../../shared/storage/batches/batch-store.ts';
import type { JobStore } from '../../../../shared/storage/jobs/job-store.ts';
import type { Queues } from '../../../../shared/storage/queue/queues.ts';
import { operation } from '../../../access/operation.ts';
import type { HoldAnswer } from '../../../http/body/hold-answer.ts';
import type { ApiContext } from '../../../http/context.ts';
import { isStreamPlace, pageJson, pageQuery } from '../../../http/query/page.ts';
import { batchGone, noBatch } from '../../../intake/uploads/accept-batch.ts';
import type { WaitingRoom } from '../../../intake/waiting-room.ts';
import { answerState, waitQuery } from '../answer-state.ts';
import type { TakeTurns } from '../take-turns.ts';
import { complete } from './complete.ts';

/** In the list of all jobs, or by its number among the lines of a batch. */
const isPlace = (text: string): text is string => isStreamPlace(text) || /^\d{1,7}$/.test(text);

export const jobsQuery = pageQuery(isPlace).extend({
  status: z.enum(JOB_STATUSES).optional(),
  batch_id: z.string().optional(),
});

const noJob = () => new RequestError('not_found', { message: 'No job of this tenant has this id.' });

const genuineId = (c: ApiContext, jobIds: JobIds): JobId => {
  const id = c.req.param('id') ?? '';
  if (!jobIds.isGenuine(c.get('tenant'), id)) throw noJob();
  c.get('logged').job_id = id;
  return id;
};

const jobList = listOf(listedJob).register(NAMED, { id: 'JobList' });

const jobPage = (views: readonly JobView[], next: string | null) => pageJson(views.map(toListedJob), next);

type Needs = {
  jobs: JobStore;
  jobIds: JobIds;
  batches: Pick<BatchStore, 'lines'>;
  batchIds: BatchIds;
  queues: Queues;
  holdAnswer: HoldAnswer;
  waitingRoom: WaitingRoom;
  takeTurns: TakeTurns;
  metrics: ApiMetrics;
};

export const JOB_OPERATIONS = [
  complete,

  operation({
    method: 'GET',
    path: '/v1/jobs',
    access: 'jobs:read',
    summary: 'Lists jobs, newest first, without results',
    query: jobsQuery,
    answers: { 200: { description: 'A page of jobs.', schema: jobList } },
    errors: ['not_found', 'result_expired'],
    handle:
      ({ jobs, batches, batchIds, takeTurns }: Needs) =>
      (c, { status = null, batch_id, limit, after = null }) =>
        takeTurns(c, async () => {
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
  }),

  operation({
    method: 'GET',
    path: '/v1/jobs/:id',
    access: 'jobs:read',
    summary: 'Reads a job, or waits for it',
    query: waitQuery,
    headers: ['If-None-Match'],
    answers: {
      200: { description: 'The job.', schema: job, headers: ['ETag', 'Retry-After'] },
      304: { description: 'It is as `If-None-Match` says.', headers: ['ETag', 'Retry-After'] },
    },
    errors: ['result_expired'],
    handle:
      ({ jobs, jobIds, waitingRoom }: Needs) =>
      async (c, { wait }) => {
        const tenant = c.get('tenant');
        const id = genuineId(c, jobIds);
        return answerState(c, waitingRoom, {
          id,
          waitSeconds: wait,
          read: (watcher) => jobs.read(tenant, id, { watcher }),
          isFinal,
          statusOf,
          changesOf: attemptsOf,
          gone: () => new RequestError('result_expired'),
          toJson: toJob,
        });
      },
  }),

  operation({
    method: 'DELETE',
    path: '/v1/jobs/:id',
    access: 'jobs:write',
    summary: 'Erases a final job’s result and metadata',
    answers: { 204: { description: 'Erased.' } },
    errors: ['conflict', 'result_expired'],
    handle:
      ({ jobs, jobIds }: Needs) =>
      async (c) => {
        const answer = await jobs.erase(c.get('tenant'), genuineId(c, jobIds));
        if (answer === 'gone') throw new RequestError('result_expired');
        if (answer === 'conflict') {
          throw new RequestError('conflict', { message: 'Only a job that has ended can be deleted; cancel it first.' });
        }
        return c.body(null, 204);
      },
  }),

  operation({
    method: 'GET',
    path: '/v1/jobs/:id/answer',
    access: 'jobs:read',
    summary: 'Reads what the provider answered to a job in its own words',
    answers: { 200: { description: 'The provider’s own bytes, of the type that it gave them.', type: '*/*' } },
    errors: ['conflict', 'result_expired', 'key_service_unavailable', 'overloaded'],
    handle:
      ({ jobs, jobIds, holdAnswer }: Needs) =>
      async (c) => {
        const tenant = c.get('tenant');
        const id = genuineId(c, jobIds);
        const answer = await jobs.readAnswer(tenant, id, (bytes) => holdAnswer(c, tenant, bytes));
        if (answer !== null) return c.body(new Uint8Array(answer.bytes), 200, { 'Content-Type': answer.mediaType });
        if ((await jobs.read(tenant, id, { watcher: null })) === null) throw new RequestError('result_expired');
        throw new RequestError('conflict', {
          message:
            'This job has no answer in a provider’s own words: it is not completed, or what it was asked and answered is in the job itself.',
        });
      },
  }),

  operation({
    method: 'POST',
    path: '/v1/jobs/:id/cancel',
    access: 'jobs:write',
    summary: 'Cancels a job',
    answers: {
      200: { description: 'The job, final; one that had ended before is as it was.', schema: job },
      202: { description: 'The job, still `in_progress`: its running call is being aborted.', schema: job },
    },
    errors: ['result_expired'],
    handle:
      ({ jobs, jobIds, queues, metrics }: Needs) =>
      async (c) => {
        const tenant = c.get('tenant');
        const id = genuineId(c, jobIds);
        const { answer, handoffs, shard } = await jobs.cancel(tenant, id);
        // The place it held goes to the next one.
        queues.handOff(shard, handoffs);
        if (answer === 'cancelled') metrics.waitingJobsCancelled(1);
        const view = answer === 'gone' ? null : await jobs.read(tenant, id, { watcher: null });
        if (view === null) throw new RequestError('result_expired');
        return c.json(toJob(view), isFinal(statusOf(view)) ? 200 : 202);
      },
  }),
];
