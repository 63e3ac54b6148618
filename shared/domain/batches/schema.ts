/** A batch and its results as clients see them. */
import { z } from 'zod';
import { completionResult } from '../conversation/result.ts';
import { lineError } from '../errors.ts';
import { isBatchId, isJobId } from '../ids.ts';
import { jobError, jobUsage } from '../jobs/schema.ts';
import { FINAL_STATUSES, perFinalStatus } from '../jobs/states.ts';
import { count, credential, NAMED, provider, time, usd } from '../wire.ts';
import { BATCH_STATUSES } from './states.ts';

export const batch = z
  .object({
    id: z.string().refine(isBatchId),
    object: z.literal('batch'),
    status: z.enum(BATCH_STATUSES),
    provider,
    credential,
    request_counts: z
      .object({
        total: count,
        queued: count,
        in_progress: count,
        ...perFinalStatus(() => count),
      })
      .meta({ description: 'Of its lines, as they stand now.' }),
    usage: z
      .object({
        input_tokens: count.meta({ description: 'Cached ones included.' }),
        output_tokens: count,
        cached_input_tokens: count,
        total_tokens: count,
        cost_usd: usd,
        unpriced_requests: count,
      })
      .meta({ description: 'The sum over all attempts of all lines that reported usage.' }),
    errors: z
      .array(lineError)
      .max(100)
      .meta({ description: 'Of lines that `on_invalid=skip` left out, the first 100.' }),
    skipped: count.meta({ description: 'How many lines were left out.' }),
    created_at: time,
    in_progress_at: time,
    finished_at: time.nullable(),
    deadline_at: time.meta({ description: 'When unfinished lines become `expired`.' }),
    retained_until: time.nullable().meta({ description: 'When a final batch is forgotten.' }),
    sandbox: z.boolean(),
    metadata: z.record(z.string(), z.string()),
    parent_id: z.string().refine(isBatchId).nullable().meta({ description: 'The batch whose lines this one repeats.' }),
    urls: z.object({ self: z.string(), results: z.string(), cancel: z.string(), retry: z.string() }),
  })
  .register(NAMED, { id: 'Batch' });
export type Batch = z.infer<typeof batch>;

/** A line of a batch that is final. */
export const resultLine = z.object({
  custom_id: z.string(),
  job_id: z.string().refine(isJobId),
  status: z.enum(FINAL_STATUSES),
  result: completionResult.nullable(),
  usage: jobUsage.nullable(),
  error: jobError.nullable(),
  cursor: z.string().meta({ description: 'Reading `after` it goes on behind this line.' }),
});
export type ResultLine = z.infer<typeof resultLine>;
