/**
 * Holds a call open until its job ends. Neither clients nor proxies bear a long silence, so it is held in hops: each ends with a
 * redirect to the next one, which official clients follow by themselves, with their keys.
 */
import { RequestError } from '../../../shared/domain/errors.ts';
import type { JobId } from '../../../shared/domain/ids.ts';
import type { StoredView } from '../../../shared/storage/jobs/job-view.ts';
import type { WaitStore } from '../../../shared/storage/jobs/wait-store.ts';
import type { HoldAnswer } from '../../http/body/hold-answer.ts';
import type { ApiContext } from '../../http/context.ts';
import { JobFailed } from '../../http/job-failed.ts';
import { type Attending, type Hop, isOver } from './attendance.ts';
import type { Dialect } from './dialect.ts';
import { jobFailure } from './job-failure.ts';

type Needs = {
  attending: Attending;
  waits: Pick<WaitStore, 'answerOf' | 'open'>;
  holdAnswer: HoldAnswer;
  /** Unix milliseconds. */
  now: () => number;
};

/** `isAccepted`: the job is known to be this call's, and its lease stands. */
export type AwaitJob = (
  c: ApiContext,
  dialect: Dialect,
  call: { id: JobId; hop: Hop; isAccepted: boolean },
) => Promise<Response>;

export const createAwaitJob = ({ attending, waits, holdAnswer, now }: Needs): AwaitJob => {
  const answer = async (c: ApiContext, { tell, answerOf }: Dialect, view: StoredView): Promise<Response> => {
    const { id, record } = view;
    const tenant = c.get('tenant');
    if (record.status !== 'completed') throw jobFailure(id, record);
    tell(c, record);
    if (record.format === undefined) {
      const opened = await waits.open(tenant, view);
      if (opened.result === null) throw new RequestError('result_expired');
      return c.body(answerOf(opened, opened.result), 200, { 'Content-Type': 'application/json' });
    }
    const given = await waits.answerOf(tenant, view, (bytes) => holdAnswer(c, tenant, bytes));
    if (given === null) throw new RequestError('result_expired');
    return c.body(new Uint8Array(given.bytes), 200, { 'Content-Type': given.mediaType });
  };

  return async (c, dialect, { id, hop, isAccepted }) => {
    const attendance = attending.attend(c, id, hop);
    try {
      const { seen, waitedMs } = await attendance.wait(hop.holdMs, isAccepted ? 0 : hop.holdMs);
      if (seen === 'absent') throw new RequestError(isAccepted ? 'result_expired' : 'not_found');
      c.get('logged').job_id = id;
      c.header('X-Gateway-Job-Id', id);
      if (isOver(seen)) return await answer(c, dialect, seen);
      if (attendance.gone.aborted) throw new RequestError('request_timeout');
      if (now() >= hop.untilMs) throw new RequestError('still_running', { jobId: id });
      if (waitedMs === 0) throw noSeat(id);
      return c.redirect(`${dialect.base}/_wait/${id}?until=${hop.untilMs}`, 303);
    } catch (error) {
      // How its job failed is an answer as well.
      if (!(error instanceof JobFailed)) attendance.leave();
      throw error;
    }
  };
};

const noSeat = (id: JobId): RequestError =>
  new RequestError('rate_limited', {
    jobId: id,
    retryAfterSeconds: 1,
    message:
      'As many requests wait here as may. The job goes on: send the same request again to wait for it, or ask for job_id.',
  });
