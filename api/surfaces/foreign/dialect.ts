/** What tells the interfaces of providers apart, beside the words of a request. */
import type { CompletionResult } from '../../../shared/domain/conversation/result.ts';
import type { JobView } from '../../../shared/domain/jobs/job.ts';
import type { JobRecord } from '../../../shared/domain/records/job-record.ts';
import type { ApiContext } from '../../http/context.ts';
import type { RefusalWords } from '../../http/error-form.ts';

export type Dialect = {
  /** Where its paths begin. */
  base: '/openai/v1' | '/anthropic/v1';
  words: RefusalWords;
  /** What `tell` tells. */
  headers: readonly ('openai-processing-ms' | 'request-id')[];
  /** Headers of an answer that its SDK reads; `ended` is null if the job goes on. */
  tell: (c: ApiContext, ended: JobRecord | null) => void;
  /** What a job of the neutral form came to, as JSON. */
  answerOf: (view: JobView, result: CompletionResult) => string;
};
