import type { Hono } from 'hono';
import { z } from 'zod';
import { RequestError } from '../../shared/errors.ts';
import type { JobId, JobIds } from '../../shared/ids.ts';
import { attemptsOf, isFinal, JOB_STATUSES, type JobView, statusOf, toJob } from '../../shared/job.ts';
import { describeError, type Log } from '../../shared/log.ts';
import type { Queues } from '../../shared/queues.ts';
import type { JobStore } from '../../shared/stores/job-store.ts';
import { clientGone } from '../client-gone.ts';
import type { ApiContext, ApiEnv } from '../context.ts';
import type { ApiMetrics } from '../metrics.ts';
import { noQuery, readQuery, wholeNumber } from '../read-query.ts';
import { route } from '../route.ts';
import type { WaitingRoom } from '../waiting-room.ts';

export const waitQuery = z.strictObject({ wait: wholeNumber(1, 60).optional() });

export const jobsQuery = z.strictObject({
  status: z.enum(JOB_STATUSES).optional(),
  limit: wholeNumber(1, 100).default(20),
  after: z
    .string()
    .transform((cursor) => Buffer.from(cursor, 'base64url').toString('latin1'))
    .refine((place) => /^\d{1,16}-\d{1,16}$/.test(place), 'must be the next_cursor of an earlier answer')
    .optional(),
});

/** Weak: the place in the queue may differ between two answers of the same tag. */
const etagOf = (view: JobView): string => `W/"${view.id}.${statusOf(view)}.${attemptsOf(view)}"`;

/** Weak comparison (RFC 9110, 13.1.2). */
const isCurrent = (ifNoneMatch: string, tag: string): boolean =>
  ifNoneMatch.split(',').some((each) => ['*', tag, tag.slice('W/'.length)].includes(each.trim()));

type Needs = {
  jobs: JobStore;
  jobIds: JobIds;
  queues: Queues;
  waitingRoom: WaitingRoom;
  metrics: ApiMetrics;
  log: Log;
};

export const addJobRoutes = (app: Hono<ApiEnv>, { jobs, jobIds, queues, waitingRoom, metrics, log }: Needs): void => {
  const genuineId = (c: ApiContext): JobId => {
    const id = c.req.param('id') ?? '';
    if (!jobIds.isGenuine(c.get('tenant'), id)) throw new RequestError('not_found');
    c.get('logged').job_id = id;
    return id;
  };

  route(app, '/v1/jobs/:id', {
    GET: async (c) => {
      const { wait = 0 } = readQuery(c, waitQuery);
      const tenant = c.get('tenant');
      const id = genuineId(c);
      const tag = c.req.header('if-none-match');
      const changed = (view: JobView): boolean =>
        tag === undefined ? isFinal(statusOf(view)) : !isCurrent(tag, etagOf(view));
      const { state: view } =
        wait === 0
          ? { state: await jobs.read(tenant, id, { watcher: null }) }
          : await waitingRoom.wait(id, wait * 1_000, {
              tenant,
              gone: clientGone(c),
              finalOnly: tag === undefined,
              read: () => jobs.read(tenant, id, { watcher: waitingRoom.id }),
              isDone: (state) => state === null || isFinal(statusOf(state)) || changed(state),
            });
      if (view === null) throw new RequestError('result_expired');
      c.header('ETag', etagOf(view));
      if (!isFinal(statusOf(view))) c.header('Retry-After', '1');
      if (tag !== undefined && isCurrent(tag, etagOf(view))) return c.body(null, 304);
      return c.json(toJob(view, { withResult: true }), 200);
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
      // The place it held goes to the next one; what BullMQ does not get now, a worker's upkeep brings.
      queues.add(shard, handoffs).catch((error: unknown) => log.warn('hand_off_failed', describeError(error)));
      if (answer === 'cancelled') metrics.waitingJobCancelled();
      const view = answer === 'gone' ? null : await jobs.read(tenant, id, { watcher: null });
      if (view === null) throw new RequestError('result_expired');
      return c.json(toJob(view, { withResult: true }), isFinal(statusOf(view)) ? 200 : 202);
    },
  });

  route(app, '/v1/jobs', {
    GET: async (c) => {
      const { status = null, limit, after = null } = readQuery(c, jobsQuery);
      const { views, next } = await jobs.list({ tenant: c.get('tenant'), status, limit, before: after });
      return c.json({
        object: 'list',
        data: views.map((view) => toJob(view, { withResult: false })),
        has_more: next !== null,
        next_cursor: next === null ? null : Buffer.from(next).toString('base64url'),
      });
    },
  });
};
