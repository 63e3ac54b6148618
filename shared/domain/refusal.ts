/** A refusal of a request as clients see it. */
import { z } from 'zod';
import { lineError, REQUEST_ERRORS, type RequestErrorCode } from './errors.ts';
import { NAMED, namesOf } from './wire.ts';

export const refusal = z
  .object({
    error: z.object({
      type: z.enum([...new Set(Object.values(REQUEST_ERRORS).map(({ type }) => type))]),
      code: namesOf<RequestErrorCode>(REQUEST_ERRORS),
      message: z.string().meta({ description: 'What was wrong, what the limit is and what to do.' }),
      param: z.string().nullable().meta({ description: 'The header, query parameter or path in the body.' }),
      request_id: z.string(),
      job_id: z.string().optional().meta({ description: 'A job whose acceptance is uncertain: ask for it first.' }),
      batch_id: z.string().optional().meta({ description: 'A batch whose acceptance is uncertain: ask for it first.' }),
      errors: z
        .array(lineError)
        .max(100)
        .optional()
        .meta({ description: 'Of a batch that is refused: the first 100 of its lines that are wrong.' }),
    }),
  })
  .register(NAMED, { id: 'Error' });
export type Refusal = z.infer<typeof refusal>;
