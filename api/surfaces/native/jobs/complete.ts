import type { Hono } from 'hono';
import { z } from 'zod';
import { JOB_EVENTS } from '../../../../shared/domain/webhook-event.ts';
import type { Config } from '../../../../shared/process/config/config.ts';
import { broughtKey } from '../../../access/brought-key.ts';
import { idempotencyKey } from '../../../access/idempotency-key.ts';
import { tellRate } from '../../../access/rate-headers.ts';
import { route } from '../../../access/route.ts';
import { canonicalJson } from '../../../http/body/canonical-json.ts';
import type { ReadJson } from '../../../http/body/read-json.ts';
import type { ApiEnv } from '../../../http/context.ts';
import { preferencesOf } from '../../../http/headers/preferences.ts';
import { parseOr } from '../../../http/query/parse-or.ts';
import { noQuery, readQuery } from '../../../http/query/read-query.ts';
import { clientGone } from '../../../http/server/client-gone.ts';
import { asMeant } from '../../../intake/as-meant.ts';
import { chooseModel, completionBody, deadlineSeconds } from '../../../intake/completion-body.ts';
import type { EstimateJob } from '../../../intake/estimate-job.ts';
import type { ResolveAccount } from '../../../intake/resolve-account.ts';
import type { Submission, Submitted } from '../../../intake/submit-job.ts';
import { takenWebhookUrl } from '../../../intake/taken-webhook-url.ts';
import { answerSubmitted } from './answer-submitted.ts';

export const completeBody = completionBody.extend({
  deadline_seconds: deadlineSeconds
    .optional()
    .describe('Of the whole job, from its acceptance. Then it becomes `expired`.'),
  webhook: z
    .strictObject({
      url: z.string().describe('`https` on port 443 of a public host.'),
      events: z.array(z.enum(JOB_EVENTS)).min(1).max(JOB_EVENTS.length).optional().describe('All when left out.'),
    })
    .optional()
    .describe('Where to post the outcome, as a `JobEvent`, and for which outcomes.'),
});

const ROUTE = 'POST /v1/complete';

export const addCompleteRoute = (
  app: Hono<ApiEnv>,
  {
    submitJob,
    resolveAccount,
    estimateJob,
    readJson,
    config,
  }: {
    submitJob: (submission: Submission) => Promise<Submitted>;
    resolveAccount: ResolveAccount;
    estimateJob: EstimateJob;
    readJson: ReadJson;
    config: Pick<Config, 'production' | 'sandbox' | 'platformModel' | 'webhooks'>;
  },
): void => {
  route(app, '/v1/complete', {
    POST: async (c) => {
      readQuery(c, noQuery);
      const caller = c.get('caller');
      const json = await readJson(c, caller.tenant);
      const user = broughtKey(c, config);
      const { waitMs } = preferencesOf(c);
      const { metadata, timeout_seconds, deadline_seconds, webhook, model, ...fields } = parseOr(
        'invalid_body',
        completeBody,
        json,
      );
      const request = { model: chooseModel(model, user ? null : config.platformModel), ...fields };
      const told = webhook
        ? { url: takenWebhookUrl(webhook.url, 'webhook.url', config), events: webhook.events ?? JOB_EVENTS }
        : null;
      const account = resolveAccount(caller.tenant, user);
      const { request: asked, ...estimated } = estimateJob(request, { account, caller, place: '' });
      const submitted = await submitJob({
        caller,
        tellRate: (rate) => tellRate(c, rate),
        account,
        judged: { ...estimated, model: request.model, asked: { format: 'neutral', request: asked } },
        sameness: {
          route: ROUTE,
          parts: (mark) => [canonicalJson([asMeant(json), account.provider, mark])],
          former: (mark, { timeoutMs, durationMs }) =>
            JSON.stringify([request, metadata, timeoutMs, durationMs, account.provider, mark, told]),
        },
        metadata,
        webhook: told,
        timeoutMs: timeout_seconds === undefined ? null : timeout_seconds * 1_000,
        deadlineMs: deadline_seconds === undefined ? null : deadline_seconds * 1_000,
        traceparent: c.get('traceparent'),
        idempotencyKey: idempotencyKey(c),
        wait: waitMs > 0 ? { ms: waitMs, gone: clientGone(c) } : null,
      });
      const { waitedMs } = submitted;
      if (waitedMs > 0) c.header('Preference-Applied', `wait=${waitedMs / 1_000}`);
      return answerSubmitted(c, submitted);
    },
  });
};
