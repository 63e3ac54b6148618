/** Anthropic's paths, for its SDK with `/anthropic` behind our address as its base URL. */
import { z } from 'zod';
import { operation } from '../../access/operation.ts';
import { FOREIGN_ERRORS, FOREIGN_HEADERS, foreignAnswers, foreignBody } from '../foreign/foreign-operation.ts';
import { createSubmitForeign } from '../foreign/submit-foreign.ts';
import { waitOperation } from '../foreign/wait-operation.ts';
import { ANTHROPIC } from './dialect.ts';
import { fromMessages } from './neutral/from-messages.ts';
import { toEvents } from './neutral/to-events.ts';

const FORWARDED = ['anthropic-version', 'anthropic-beta'] as const;

const COMMON = {
  method: 'POST',
  access: 'jobs:write',
  // The SDK's own beta calls send it; which betas they are of, a header says.
  query: z.strictObject({ beta: z.literal('true').optional() }),
  headers: [...FOREIGN_HEADERS, ...FORWARDED],
  answers: foreignAnswers(ANTHROPIC),
  errors: FOREIGN_ERRORS,
  awaitsJob: true,
  refusals: ANTHROPIC.words,
  rateLimited: true,
} as const;

export const ANTHROPIC_OPERATIONS = [
  operation({
    ...COMMON,
    path: '/anthropic/v1/messages',
    summary: 'Runs an Anthropic message through the queue',
    body: {
      schema: foreignBody('AnthropicMessage', 'https://platform.claude.com/docs/en/api/messages/create'),
    },
    handle: createSubmitForeign({
      dialect: ANTHROPIC,
      route: 'POST /anthropic/v1/messages',
      format: 'anthropic.messages',
      provider: 'anthropic',
      forwarded: FORWARDED,
      onPlatform: { translate: fromMessages, streamOf: toEvents },
    }),
  }),
  operation({
    ...COMMON,
    path: '/anthropic/v1/messages/count_tokens',
    summary: 'Counts the tokens of an Anthropic message, through the queue',
    body: {
      schema: foreignBody('AnthropicTokenCount', 'https://platform.claude.com/docs/en/api/messages/count_tokens'),
    },
    handle: createSubmitForeign({
      dialect: ANTHROPIC,
      route: 'POST /anthropic/v1/messages/count_tokens',
      format: 'anthropic.count_tokens',
      provider: 'anthropic',
      forwarded: FORWARDED,
      onPlatform: null,
    }),
  }),

  waitOperation(ANTHROPIC),
];
