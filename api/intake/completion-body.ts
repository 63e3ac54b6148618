/** What a client says of one completion, alone or as a line of a batch. */
import { z } from 'zod';
import { completionRequest, modelName } from '../../shared/domain/completion.ts';
import { RequestError } from '../../shared/domain/errors.ts';
import { holdsKey } from '../../shared/keys/key-shapes.ts';

const METADATA_PAIRS = 16;

/** For what is stored, shown and sent to webhooks as it stands, so that a key in the wrong place is not. */
export const withoutKey = <T extends z.ZodType<string>>(text: T) =>
  text.refine((value) => !holdsKey(value), 'holds what looks like a key; keys belong in headers only');

/** What z.record does not check, or only after every pair: their number, and the name __proto__, which it leaves out without a word. */
export const metadata = z
  .custom<object>((value) => typeof value === 'object' && value !== null && !Array.isArray(value), 'must be an object')
  .refine((pairs) => Object.keys(pairs).length <= METADATA_PAIRS, `must have ${METADATA_PAIRS} or fewer pairs`)
  .refine((pairs) => !Object.hasOwn(pairs, '__proto__'), 'must not have the name __proto__')
  .pipe(z.record(withoutKey(z.string().min(1).max(64)), withoutKey(z.string().max(512))))
  .meta({ maxProperties: METADATA_PAIRS });

export const timeoutSeconds = z.int().min(1).max(600);
export const deadlineSeconds = z.int().min(1).max(86_400);

export const completionBody = completionRequest.extend({
  model: withoutKey(modelName)
    .optional()
    .describe(
      'Required with a user’s key, in that provider’s naming (`gpt-4o`, `claude-…`). Without one a Bedrock model id or inference profile; left out, the gateway’s default.',
    ),
  metadata: metadata.default({}).describe('Comes back with the job. Names have up to 64 characters.'),
  on_unsupported: z
    .enum(['reject', 'warn'])
    .default('reject')
    .describe(
      'What becomes of a field that the provider does not take. `reject`: 400. `warn`: it is left out, and the job’s `warnings` say so.',
    ),
  timeout_seconds: timeoutSeconds.optional().describe('Of one call to the provider.'),
});

/** The model to run: `defaultModel` where the client names none; throws RequestError where that is null. `param` is where the client names it. */
export const chooseModel = (model: string | undefined, defaultModel: string | null, param = 'model'): string => {
  const chosen = model ?? defaultModel;
  if (chosen !== null) return chosen;
  throw new RequestError('invalid_body', {
    param,
    message: 'model is required with X-User-API-Key: only the platform’s account has a default.',
  });
};
