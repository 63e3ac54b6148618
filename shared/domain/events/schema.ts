/** What webhooks are sent. */
import { z } from 'zod';
import { batch } from '../batches/schema.ts';
import { job } from '../jobs/schema.ts';
import { BATCH_EVENTS, JOB_EVENTS } from '../webhooks/event-types.ts';
import { NAMED, time } from '../wire.ts';

export const jobEvent = z
  .object({
    type: z.enum(JOB_EVENTS),
    timestamp: time.meta({ description: 'When the job became final.' }),
    data: job.extend({
      result: job.shape.result.optional(),
      result_omitted: z
        .literal(true)
        .optional()
        .meta({ description: 'In the place of `result`, where the body would exceed 256 KiB.' }),
    }),
  })
  .register(NAMED, { id: 'JobEvent' });
export type JobEvent = z.infer<typeof jobEvent>;

export const batchEvent = z
  .object({
    type: z.enum(BATCH_EVENTS),
    timestamp: time.meta({ description: 'When the batch became final.' }),
    data: batch,
  })
  .register(NAMED, { id: 'BatchEvent' });
