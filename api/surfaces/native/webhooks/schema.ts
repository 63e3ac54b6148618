/** What a tenant sees of its webhooks beside their deliveries. */
import { z } from 'zod';
import { isDeliveryId } from '../../../../shared/domain/ids.ts';
import { DELIVERY_CODES } from '../../../../shared/domain/webhooks/delivery-states.ts';
import { count, NAMED, time } from '../../../../shared/domain/wire.ts';

export const redelivered = z.object({ object: z.literal('redelivery'), count }).register(NAMED, { id: 'Redelivered' });
export type Redelivered = z.infer<typeof redelivered>;

export const webhookTest = z
  .object({
    object: z.literal('webhook_test'),
    id: z.string().refine(isDeliveryId).meta({ description: 'Of the delivery.' }),
    delivered: z.boolean(),
    status: z.int().nullable().meta({ description: 'Of the endpoint’s answer.' }),
    code: z.enum(DELIVERY_CODES).nullable().meta({ description: 'Why it failed.' }),
    duration_ms: count.nullable(),
  })
  .register(NAMED, { id: 'WebhookTest' });
export type WebhookTest = z.infer<typeof webhookTest>;

export const webhookSecret = z
  .object({
    secret: z.string(),
    created_at: time,
    previous: z
      .object({ secret: z.string(), expires_at: time })
      .nullable()
      .meta({ description: 'The one before, while it signs too.' }),
  })
  .register(NAMED, { id: 'WebhookSecret' });
export type WebhookSecret = z.infer<typeof webhookSecret>;
