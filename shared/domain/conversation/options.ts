/** How an answer is to be made, beside what every provider takes. */
import { z } from 'zod';
import { EFFORTS, SERVICE_TIERS } from '../../../providers/takes.ts';
import { textParts } from './content.ts';
import { jsonSchema } from './tools.ts';

const responseFormat = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text') }),
  z.strictObject({ type: z.literal('json_object') }),
  z.strictObject({
    type: z.literal('json_schema'),
    json_schema: z.strictObject({
      name: z
        .string()
        .regex(/^[A-Za-z0-9_-]{1,64}$/)
        .describe('For providers that have a place for it.'),
      schema: jsonSchema,
      description: z.string().max(16_384).optional(),
      strict: z.boolean().optional(),
    }),
  }),
]);

const penalty = z.number().min(-2).max(2);
const MAX_BIASES = 1_024;

export const generation = {
  response_format: responseFormat
    .optional()
    .describe('`text`; `json_object`: some JSON object; `json_schema`: JSON of that form.'),
  reasoning: z
    .strictObject({
      effort: z.enum(EFFORTS).optional(),
      budget_tokens: z.int().min(1).max(1_000_000).optional(),
    })
    .optional()
    .describe('How much the model may think before it answers, within `max_tokens`.'),
  n: z.int().min(1).max(128).optional().describe('How many answers. Those after the first are in `choices`.'),
  seed: z.int().optional().describe('The same seed makes the same answer likelier.'),
  logprobs: z.boolean().optional().describe('Whether the answer comes with the probability of each token.'),
  top_logprobs: z.int().min(0).max(20).optional().describe('So many tokens for each place. Needs `logprobs`.'),
  logit_bias: z
    .record(z.string().regex(/^\d{1,9}$/), z.number().min(-100).max(100))
    .refine((biases) => Object.keys(biases).length <= MAX_BIASES, `must have ${MAX_BIASES} or fewer tokens`)
    .optional()
    .describe('By the id of a token: makes it likelier (to 100) or less so (to −100).'),
  frequency_penalty: penalty.optional().describe('Against tokens that the answer has often.'),
  presence_penalty: penalty.optional().describe('Against tokens that the answer has.'),
  prediction: z
    .strictObject({ type: z.literal('content'), content: z.union([z.string().min(1), textParts]) })
    .optional()
    .describe('What most of the answer will be, to have it sooner. What of it is wrong costs as output does.'),
  verbosity: z.enum(['low', 'medium', 'high']).optional().describe('How long the answer is.'),
  service_tier: z.enum(SERVICE_TIERS).optional().describe('Of the provider: cheaper and later, or dearer and sooner.'),
  user: z.string().min(1).max(256).optional().describe('Who of your users asks, for the provider’s checks on abuse.'),
  top_k: z.int().min(1).max(1_000_000).optional().describe('Goes to the provider as it is.'),
};
