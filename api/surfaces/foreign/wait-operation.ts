/** The hops of calls that wait for their jobs: one path for each dialect. */
import { z } from 'zod';
import { RequestError } from '../../../shared/domain/errors.ts';
import type { JobIds } from '../../../shared/keys/digests/genuine-ids.ts';
import { operation } from '../../access/operation.ts';
import { preferencesOf } from '../../http/headers/preferences.ts';
import type { Attending } from './attendance.ts';
import type { AwaitJob } from './await-job.ts';
import type { Dialect } from './dialect.ts';
import { AWAIT_ERRORS, HOP, providersAnswer } from './foreign-operation.ts';

const query = z.strictObject({
  until: z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number)
    .describe('As the redirect has it: when the call ends at the latest, in Unix milliseconds.'),
});

/** It needs what the call needs that it goes on with, and counts toward no limit of requests. */
export const waitOperation = (dialect: Dialect) =>
  operation({
    method: 'GET',
    path: `${dialect.base}/_wait/:id`,
    access: 'jobs:write',
    summary: 'Goes on waiting for a job; clients come here by redirect',
    query,
    headers: ['Prefer'],
    answers: { 200: providersAnswer(dialect), 303: HOP },
    errors: AWAIT_ERRORS,
    awaitsJob: true,
    refusals: dialect.words,
    handle:
      ({ attending, awaitJob, jobIds }: { attending: Attending; awaitJob: AwaitJob; jobIds: JobIds }) =>
      (c, { until }) => {
        const id = c.req.param('id') ?? '';
        if (!jobIds.isGenuine(c.get('tenant'), id)) throw new RequestError('not_found');
        const hop = attending.hop({ waitMs: preferencesOf(c).waitMs, untilMs: until });
        return awaitJob(c, dialect, { id, hop, isAccepted: false });
      },
  });
