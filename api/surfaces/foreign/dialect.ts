/** What tells the interfaces of providers apart, beside the words of a request. */
import type { JobRecord } from '../../../shared/domain/records/job-record.ts';
import type { ApiContext } from '../../http/context.ts';
import type { RefusalWords } from '../../http/error-form.ts';

export type Dialect = {
  /** Where its paths begin. */
  base: '/openai/v1' | '/anthropic/v1';
  words: RefusalWords;
  /** Headers of an answer that its SDK reads; `ended` is null if the job goes on. */
  tell: (c: ApiContext, ended: JobRecord | null) => void;
};
