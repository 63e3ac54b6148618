/** Anthropic's paths, for its SDK with `/anthropic` behind our address as its base URL. */
import type { Hono } from 'hono';
import { z } from 'zod';
import { route } from '../../access/route.ts';
import type { ApiEnv } from '../../http/context.ts';
import { readQuery } from '../../http/query/read-query.ts';
import { createSubmitForeign, type SubmitForeignNeeds } from '../foreign/submit-foreign.ts';

const FORWARDED = ['anthropic-version', 'anthropic-beta'] as const;

/** The SDK's own beta calls send it; which betas they are of, a header says. */
export const messagesQuery = z.strictObject({ beta: z.literal('true').optional() });

export const addAnthropicRoutes = (app: Hono<ApiEnv>, needs: SubmitForeignNeeds): void => {
  const messages = createSubmitForeign(needs, {
    route: 'POST /anthropic/v1/messages',
    format: 'anthropic.messages',
    provider: 'anthropic',
    forwarded: FORWARDED,
  });
  route(app, '/anthropic/v1/messages', {
    POST: (c) => {
      readQuery(c, messagesQuery);
      return messages(c);
    },
  });
};
