/** A delivery as clients see it: one event on its way to one URL. */
import { z } from 'zod';
import { isDeliveryId } from '../ids.ts';
import { count, NAMED, time } from '../wire.ts';
import { DELIVERY_CODES, DELIVERY_REASONS, DELIVERY_STATUSES } from './delivery-states.ts';
import { WEBHOOK_EVENTS } from './event-types.ts';

export const delivery = z
  .object({
    id: z.string().refine(isDeliveryId).meta({ description: 'The `webhook-id` of every attempt.' }),
    object: z.literal('webhook_delivery'),
    type: z.enum(WEBHOOK_EVENTS),
    job_id: z.string().nullable(),
    batch_id: z.string().nullable(),
    url: z.string(),
    status: z.enum(DELIVERY_STATUSES),
    reason: z
      .enum(DELIVERY_REASONS)
      .nullable()
      .meta({ description: 'Why it failed, where its attempts do not say it.' }),
    created_at: time.meta({ description: 'When the event happened.' }),
    finished_at: time.nullable(),
    next_attempt_at: time.nullable().meta({ description: 'While it waits for its next attempt.' }),
    attempts: z
      .array(
        z.object({
          number: z.int().min(1),
          started_at: time,
          duration_ms: count.nullable(),
          code: z.enum(DELIVERY_CODES).nullable().meta({ description: 'Null while it is under way.' }),
          status: z.int().nullable().meta({ description: 'Of the endpoint’s answer.' }),
        }),
      )
      .max(20)
      .meta({ description: 'The last 20.' }),
    attempts_omitted: count,
  })
  .register(NAMED, { id: 'WebhookDelivery' });
export type Delivery = z.infer<typeof delivery>;
