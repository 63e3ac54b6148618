import type { Failure } from './error-form.ts';

/** Thrown by a call that waited for a job which ended without an answer. */
export class JobFailed extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(failure.message);
    Error.stackTraceLimit = stackTraceLimit;
    this.name = 'JobFailed';
    this.failure = failure;
  }
}
