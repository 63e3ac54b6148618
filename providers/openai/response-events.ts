/** Events of a streamed Response: https://developers.openai.com/api/reference/resources/responses/streaming-events */
import { z } from 'zod';
import type { EventReader } from '../call/events/read-events.ts';

const PRELUDE: ReadonlySet<string> = new Set([
  'response.created',
  'response.queued',
  'response.in_progress',
  'response.output_item.added',
  'response.content_part.added',
  'response.reasoning_summary_part.added',
]);

/** Of the response that an answer ends with, what it is judged by. */
const responseForm = z.object({
  object: z.unknown().optional(),
  status: z.unknown().optional(),
  error: z.unknown().optional(),
  usage: z.unknown().optional(),
  service_tier: z.unknown().optional(),
  output: z
    .array(z.object({ type: z.unknown() }))
    .optional()
    .catch(undefined),
});
const typed = z.looseObject({ type: z.string() });
const ending = z.object({ response: responseForm });
const responseIn = (data: unknown): z.infer<typeof responseForm> => ending.safeParse(data).data?.response ?? {};

/** Its own form is flat; at the edge, and at Azure, the error stands in a member: https://github.com/openai/openai-node/pull/2021 */
const errorIn = (data: unknown): unknown => {
  const { code = null, message = null, error } = z.looseObject({}).safeParse(data).data ?? {};
  return { error: error ?? { code, message } };
};

export const responseEvents = (): EventReader => {
  let whole: unknown = null;
  return {
    read: ({ name, data }) => {
      const type = typed.safeParse(data).data?.type ?? name ?? '';
      switch (type) {
        case 'error':
          whole = errorIn(data);
          return 'failure';
        case 'response.failed': {
          const { error, usage } = responseIn(data);
          whole = { error, usage };
          return 'failure';
        }
        case 'response.completed':
        case 'response.incomplete':
          whole = responseIn(data);
          return 'last';
        default:
          return PRELUDE.has(type) ? 'prelude' : 'content';
      }
    },
    whole: () => whole,
  };
};
