/** OpenAI's list of models, of those that a tenant may use. https://developers.openai.com/api/reference/resources/models */
import { z } from 'zod';
import type { PricedModel } from '../../../shared/domain/prices/priced-models.ts';
import { NAMED } from '../../../shared/domain/wire.ts';
import { operation } from '../../access/operation.ts';
import { askedModels, MODEL_ERRORS, MODEL_HEADERS, type ModelNeeds } from '../foreign/asked-models.ts';
import { OPENAI_WORDS } from './error-form.ts';

const model = z
  .object({
    id: z.string(),
    object: z.literal('model'),
    created: z.int().meta({ description: 'Always 0: it is not known here.' }),
    owned_by: z.string().meta({ description: 'The provider that it runs on.' }),
  })
  .register(NAMED, { id: 'OpenAiModel' });
const models = z.object({ object: z.literal('list'), data: z.array(model) }).register(NAMED, { id: 'OpenAiModels' });

const shown = ({ id }: PricedModel, owner: string): z.infer<typeof model> => ({
  id,
  object: 'model',
  created: 0,
  owned_by: owner,
});

const COMMON = {
  method: 'GET',
  access: 'jobs:write',
  headers: MODEL_HEADERS,
  errors: MODEL_ERRORS,
  refusals: OPENAI_WORDS,
} as const;

export const OPENAI_MODEL_OPERATIONS = [
  operation({
    ...COMMON,
    path: '/openai/v1/models',
    summary: 'Lists the models that the tenant may use',
    answers: { 200: { description: 'All of them.', schema: models } },
    handle: (needs: ModelNeeds) => (c) => {
      const { all, owner } = askedModels(c, needs, 'openai');
      return c.json({ object: 'list', data: all.map((each) => shown(each, owner)) } satisfies z.infer<typeof models>);
    },
  }),
  operation({
    ...COMMON,
    path: '/openai/v1/models/:model{.+}',
    summary: 'Reads one of them',
    answers: { 200: { description: 'The model.', schema: model } },
    handle: (needs: ModelNeeds) => (c) => {
      const { named, owner } = askedModels(c, needs, 'openai');
      return c.json(shown(named(), owner));
    },
  }),
];
