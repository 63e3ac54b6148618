import { statusOf, toJob } from '../../../../shared/domain/jobs/job.ts';
import { isFinal } from '../../../../shared/domain/jobs/states.ts';
import type { ApiContext } from '../../../http/context.ts';
import type { Submitted } from '../../../intake/submit-job.ts';

/** The answer to whoever submitted a job: the job, and where it can be asked for. */
export const answerSubmitted = (c: ApiContext, { view, replayed }: Submitted): Response => {
  c.get('logged').job_id = view.id;
  if (replayed) c.header('Idempotency-Replayed', 'true');
  else c.set('unkept', 0);
  c.header('Location', `/v1/jobs/${view.id}`);
  if (isFinal(statusOf(view))) return c.json(toJob(view), 200);
  c.header('Retry-After', '1');
  return c.json(toJob(view), 202);
};
