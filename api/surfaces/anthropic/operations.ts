/** Anthropic's paths, for its SDK with `/anthropic` behind our address as its base URL. */
import { z } from 'zod';
import { operation } from '../../access/operation.ts';
import { FOREIGN_ANSWERS, FOREIGN_ERRORS, FOREIGN_HEADERS, foreignBody } from '../foreign/foreign-operation.ts';
import { createSubmitForeign } from '../foreign/submit-foreign.ts';
import { waitOperation } from '../foreign/wait-operation.ts';
import { ANTHROPIC } from './dialect.ts';
import { fromMessages } from './neutral/from-messages.ts';
import { toEvents } from './neutral/to-events.ts';

const FORWARDED = ['anthropic-version', 'anthropic-beta'] as const;

export const ANTHROPIC_OPERATIONS = [
  operation({
    method: 'POST',
    path: '/anthropic/v1/messages',
    access: 'jobs:write',
    summary: 'Runs an Anthropic message through the queue',
    // The SDK's own beta calls send it; which betas they are of, a header says.
    query: z.strictObject({ beta: z.literal('true').optional() }),
    body: {
      schema: foreignBody('AnthropicMessage', 'https://platform.claude.com/docs/en/api/messages/create'),
    },
    headers: [...FOREIGN_HEADERS, ...FORWARDED],
    answers: FOREIGN_ANSWERS,
    errors: FOREIGN_ERRORS,
    awaitsJob: true,
    refusals: ANTHROPIC.words,
    rateLimited: true,
    handle: createSubmitForeign({
      dialect: ANTHROPIC,
      route: 'POST /anthropic/v1/messages',
      format: 'anthropic.messages',
      provider: 'anthropic',
      forwarded: FORWARDED,
      onPlatform: { translate: fromMessages, streamOf: toEvents },
    }),
  }),

  waitOperation(ANTHROPIC),
];
