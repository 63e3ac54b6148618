/** OpenAI's paths, for its SDK with `/openai/v1` behind our address as its base URL. */
import { operation } from '../../access/operation.ts';
import { FOREIGN_ANSWERS, FOREIGN_ERRORS, FOREIGN_HEADERS, foreignBody } from '../foreign/foreign-operation.ts';
import { createSubmitForeign } from '../foreign/submit-foreign.ts';
import { OPENAI_WORDS } from './error-form.ts';

const FORWARDED = ['openai-beta', 'openai-organization', 'openai-project'] as const;

const COMMON = {
  method: 'POST',
  access: 'jobs:write',
  headers: [...FOREIGN_HEADERS, ...FORWARDED],
  answers: FOREIGN_ANSWERS,
  errors: FOREIGN_ERRORS,
  refusals: OPENAI_WORDS,
  rateLimited: true,
} as const;

export const OPENAI_OPERATIONS = [
  operation({
    ...COMMON,
    path: '/openai/v1/chat/completions',
    summary: 'Submits an OpenAI chat completion as a job',
    body: {
      schema: foreignBody(
        'OpenAiChatCompletion',
        'https://developers.openai.com/api/reference/resources/chat/subresources/completions/methods/create',
      ),
    },
    handle: createSubmitForeign({
      route: 'POST /openai/v1/chat/completions',
      format: 'openai.chat',
      provider: 'openai',
      forwarded: FORWARDED,
    }),
  }),
  operation({
    ...COMMON,
    path: '/openai/v1/responses',
    summary: 'Submits an OpenAI response as a job',
    body: {
      schema: foreignBody(
        'OpenAiResponse',
        'https://developers.openai.com/api/reference/resources/responses/methods/create',
      ),
    },
    handle: createSubmitForeign({
      route: 'POST /openai/v1/responses',
      format: 'openai.responses',
      provider: 'openai',
      forwarded: FORWARDED,
    }),
  }),
  operation({
    ...COMMON,
    path: '/openai/v1/embeddings',
    summary: 'Submits a request for OpenAI embeddings as a job',
    body: {
      schema: foreignBody(
        'OpenAiEmbeddings',
        'https://developers.openai.com/api/reference/resources/embeddings/methods/create',
      ),
    },
    handle: createSubmitForeign({
      route: 'POST /openai/v1/embeddings',
      format: 'openai.embeddings',
      provider: 'openai',
      forwarded: FORWARDED,
    }),
  }),
];
