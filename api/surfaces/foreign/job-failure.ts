/** How a job that ended without an answer is told to the call that waited for it. */
import { type ErrorType, JOB_ERRORS, REQUEST_ERRORS } from '../../../shared/domain/errors.ts';
import type { JobId } from '../../../shared/domain/ids.ts';
import { errorJson } from '../../../shared/domain/jobs/job.ts';
import type { JobError } from '../../../shared/domain/jobs/schema.ts';
import type { JobRecord } from '../../../shared/domain/records/job-record.ts';
import { JobFailed } from '../../http/job-failed.ts';

/** Statuses of a provider that say more of a request than that it was refused. */
const PASSED_ON: ReadonlyMap<number, ErrorType> = new Map([
  [404, 'not_found_error'],
  [413, 'invalid_request_error'],
  [422, 'invalid_request_error'],
]);

const statusOf = ({ code, provider_status }: JobError): { status: number; type: ErrorType } => {
  const own = JOB_ERRORS[code];
  const passed = code === 'provider_rejected_request' ? PASSED_ON.get(provider_status ?? 0) : undefined;
  return passed === undefined ? own : { status: provider_status ?? own.status, type: passed };
};

/** What to throw for a final job that is not completed. */
export const jobFailure = (id: JobId, record: JobRecord): JobFailed => {
  const about = { of: 'job', param: null, more: { job_id: id } } as const;
  const error = errorJson(record);
  if (error === null) return new JobFailed({ ...about, code: 'job_cancelled', ...REQUEST_ERRORS.job_cancelled });
  const { status, type } = statusOf(error);
  return new JobFailed({ ...about, code: error.code, status, type, message: error.message });
};
