/** OpenAI's paths, for its SDK with `/openai/v1` behind our address as its base URL. */
import type { Hono } from 'hono';
import { route } from '../../access/route.ts';
import type { ApiEnv } from '../../http/context.ts';
import { noQuery, readQuery } from '../../http/query/read-query.ts';
import { createSubmitForeign, type SubmitForeignNeeds } from '../foreign/submit-foreign.ts';

const FORWARDED = ['openai-beta', 'openai-organization', 'openai-project'] as const;

export const addOpenAiRoutes = (app: Hono<ApiEnv>, needs: SubmitForeignNeeds): void => {
  const chat = createSubmitForeign(needs, {
    route: 'POST /openai/v1/chat/completions',
    format: 'openai.chat',
    provider: 'openai',
    forwarded: FORWARDED,
  });
  const responses = createSubmitForeign(needs, {
    route: 'POST /openai/v1/responses',
    format: 'openai.responses',
    provider: 'openai',
    forwarded: FORWARDED,
  });
  route(app, '/openai/v1/chat/completions', {
    POST: (c) => {
      readQuery(c, noQuery);
      return chat(c);
    },
  });
  route(app, '/openai/v1/responses', {
    POST: (c) => {
      readQuery(c, noQuery);
      return responses(c);
    },
  });
};
