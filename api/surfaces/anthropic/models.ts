/** Anthropic's list of models, of those that a tenant may use. https://platform.claude.com/docs/en/api/models/list */
import { z } from 'zod';
import { RequestError } from '../../../shared/domain/errors.ts';
import type { PricedModel } from '../../../shared/domain/prices/priced-models.ts';
import { NAMED } from '../../../shared/domain/wire.ts';
import { operation } from '../../access/operation.ts';
import { wholeNumber } from '../../http/query/read-query.ts';
import { askedModels, MODEL_ERRORS, MODEL_HEADERS, type ModelNeeds } from '../foreign/asked-models.ts';
import { ANTHROPIC_WORDS } from './error-form.ts';

/** What Anthropic has for a time that is not known. */
const UNKNOWN_TIME = '1970-01-01T00:00:00Z';

const model = z
  .object({
    type: z.literal('model'),
    id: z.string(),
    display_name: z.string(),
    created_at: z.iso.datetime().meta({ description: `Always ${UNKNOWN_TIME}: it is not known here.` }),
  })
  .register(NAMED, { id: 'AnthropicModel' });
const models = z
  .object({
    data: z.array(model),
    has_more: z.boolean(),
    first_id: z.string().nullable().meta({ description: 'What `before_id` takes for the page before.' }),
    last_id: z.string().nullable().meta({ description: 'What `after_id` takes for the next page.' }),
  })
  .register(NAMED, { id: 'AnthropicModels' });

// The SDK's own beta calls send it.
const beta = z.literal('true').optional();
const pageQuery = z.strictObject({
  limit: wholeNumber(1, 1_000).default(20),
  after_id: z.string().optional(),
  before_id: z.string().optional(),
  beta,
});

const shown = ({ id, name }: PricedModel): z.infer<typeof model> => ({
  type: 'model',
  id,
  display_name: name,
  created_at: UNKNOWN_TIME,
});

/** The part of the list that is asked for. Throws RequestError 400 for a place that is not in it. */
const pageOf = (
  all: readonly PricedModel[],
  { limit, after_id, before_id }: z.infer<typeof pageQuery>,
): z.infer<typeof models> => {
  const placeOf = (param: 'after_id' | 'before_id', id: string): number => {
    const place = all.findIndex((each) => each.id === id);
    if (place >= 0 && (after_id === undefined || before_id === undefined)) return place;
    throw new RequestError('invalid_query', { param, message: `${param} takes the id of a model of the list, alone.` });
  };
  const end = before_id === undefined ? null : placeOf('before_id', before_id);
  const begin = after_id === undefined ? Math.max(0, (end ?? 0) - limit) : placeOf('after_id', after_id) + 1;
  const page = all.slice(begin, end ?? begin + limit);
  return {
    data: page.map(shown),
    has_more: end === null ? begin + limit < all.length : begin > 0,
    first_id: page[0]?.id ?? null,
    last_id: page.at(-1)?.id ?? null,
  };
};

const COMMON = {
  method: 'GET',
  access: 'jobs:write',
  headers: MODEL_HEADERS,
  errors: MODEL_ERRORS,
  refusals: ANTHROPIC_WORDS,
} as const;

export const ANTHROPIC_MODEL_OPERATIONS = [
  operation({
    ...COMMON,
    path: '/anthropic/v1/models',
    query: pageQuery,
    summary: 'Lists the models that the tenant may use',
    answers: { 200: { description: 'A page of them.', schema: models } },
    handle: (needs: ModelNeeds) => (c, query) => c.json(pageOf(askedModels(c, needs, 'anthropic').all, query)),
  }),
  operation({
    ...COMMON,
    path: '/anthropic/v1/models/:model{.+}',
    query: z.strictObject({ beta }),
    summary: 'Reads one of them',
    answers: { 200: { description: 'The model.', schema: model } },
    handle: (needs: ModelNeeds) => (c) => c.json(shown(askedModels(c, needs, 'anthropic').named())),
  }),
];
