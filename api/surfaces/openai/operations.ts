/** OpenAI's paths, for its SDK with `/openai/v1` behind our address as its base URL. */
import { operation } from '../../access/operation.ts';
import { FOREIGN_ERRORS, FOREIGN_HEADERS, foreignAnswers, foreignBody } from '../foreign/foreign-operation.ts';
import { createSubmitForeign } from '../foreign/submit-foreign.ts';
import { waitOperation } from '../foreign/wait-operation.ts';
import { OPENAI } from './dialect.ts';
import { fromChat } from './neutral/from-chat.ts';
import { asksForUsage, toChunks } from './neutral/to-chunks.ts';

const FORWARDED = ['openai-beta', 'openai-organization', 'openai-project'] as const;

const COMMON = {
  method: 'POST',
  access: 'jobs:write',
  headers: [...FOREIGN_HEADERS, ...FORWARDED],
  answers: foreignAnswers(OPENAI),
  errors: FOREIGN_ERRORS,
  awaitsJob: true,
  refusals: OPENAI.words,
  rateLimited: true,
} as const;

export const OPENAI_OPERATIONS = [
  operation({
    ...COMMON,
    path: '/openai/v1/chat/completions',
    summary: 'Runs an OpenAI chat completion through the queue',
    body: {
      schema: foreignBody(
        'OpenAiChatCompletion',
        'https://developers.openai.com/api/reference/resources/chat/subresources/completions/methods/create',
      ),
    },
    handle: createSubmitForeign({
      dialect: OPENAI,
      route: 'POST /openai/v1/chat/completions',
      format: 'openai.chat',
      provider: 'openai',
      forwarded: FORWARDED,
      onPlatform: {
        translate: fromChat,
        streamOf: (view, result, asked) => toChunks(view, result, { withUsage: asksForUsage(asked) }),
      },
    }),
  }),
  operation({
    ...COMMON,
    path: '/openai/v1/responses',
    summary: 'Runs an OpenAI response through the queue',
    body: {
      schema: foreignBody(
        'OpenAiResponse',
        'https://developers.openai.com/api/reference/resources/responses/methods/create',
      ),
    },
    handle: createSubmitForeign({
      dialect: OPENAI,
      route: 'POST /openai/v1/responses',
      format: 'openai.responses',
      provider: 'openai',
      forwarded: FORWARDED,
      onPlatform: null,
    }),
  }),
  operation({
    ...COMMON,
    path: '/openai/v1/embeddings',
    summary: 'Runs OpenAI embeddings through the queue',
    body: {
      schema: foreignBody(
        'OpenAiEmbeddings',
        'https://developers.openai.com/api/reference/resources/embeddings/methods/create',
      ),
    },
    handle: createSubmitForeign({
      dialect: OPENAI,
      route: 'POST /openai/v1/embeddings',
      format: 'openai.embeddings',
      provider: 'openai',
      forwarded: FORWARDED,
      onPlatform: null,
    }),
  }),

  waitOperation(OPENAI),
];
