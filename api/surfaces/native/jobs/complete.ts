/** POST /v1/complete: from a request to an accepted job, and its answer. */
import { z } from 'zod';
import { job } from '../../../../shared/domain/jobs/schema.ts';
import { needsOf } from '../../../../shared/domain/needs.ts';
import { JOB_EVENTS } from '../../../../shared/domain/webhooks/event-types.ts';
import { NAMED } from '../../../../shared/domain/wire.ts';
import type { Config } from '../../../../shared/process/config/config.ts';
import { BROUGHT_KEY_ERRORS, broughtKey } from '../../../access/brought-key.ts';
import { idempotencyKey } from '../../../access/idempotency-key.ts';
import { operation } from '../../../access/operation.ts';
import { tellRate } from '../../../access/rate-headers.ts';
import { canonicalJson } from '../../../http/body/canonical-json.ts';
import { releaseBody } from '../../../http/body/read-body.ts';
import type { ReadJson } from '../../../http/body/read-json.ts';
import { preferencesOf } from '../../../http/headers/preferences.ts';
import { parseOr } from '../../../http/query/parse-or.ts';
import { clientGone } from '../../../http/server/client-gone.ts';
import { asMeant } from '../../../intake/as-meant.ts';
import { chooseModel, completionBody, deadlineSeconds } from '../../../intake/completion-body.ts';
import type { EstimateJob } from '../../../intake/estimate-job.ts';
import type { ResolveAccount } from '../../../intake/resolve-account.ts';
import type { Submission, Submitted } from '../../../intake/submit-job.ts';
import { BODY_NAMES } from '../../../intake/support/names.ts';
import { takenWebhookUrl } from '../../../intake/taken-webhook-url.ts';
import { answerSubmitted } from './answer-submitted.ts';

export const completeBody = completionBody
  .extend({
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
  })
  .register(NAMED, { id: 'CompletionRequest' });

const ROUTE = 'POST /v1/complete';

type Needs = {
  submitJob: (submission: Submission) => Promise<Submitted>;
  resolveAccount: ResolveAccount;
  estimateJob: EstimateJob;
  readJson: ReadJson;
  config: Pick<Config, 'production' | 'sandbox' | 'platformModel' | 'webhooks'>;
};

export const complete = operation({
  method: 'POST',
  path: '/v1/complete',
  access: 'jobs:write',
  summary: 'Submits a completion as a job',
  body: { schema: completeBody },
  headers: ['X-User-API-Key', 'X-User-Provider', 'Idempotency-Key', 'Prefer'],
  answers: {
    200: {
      description: 'The job, final: it ended within `Prefer: wait`, or an Idempotency-Key was repeated.',
      schema: job,
      headers: ['Location', 'Preference-Applied', 'Idempotency-Replayed'],
    },
    202: {
      description: 'The accepted job.',
      schema: job,
      headers: ['Location', 'Retry-After', 'Preference-Applied', 'Idempotency-Replayed'],
    },
  },
  errors: [
    ...BROUGHT_KEY_ERRORS,
    'webhook_url_refused',
    'model_not_allowed',
    'result_expired',
    'idempotency_mismatch',
    'model_unpriced',
    'unsupported_by_provider',
    'budget_exceeded',
    'too_many_queued',
    'too_many_stored_bytes',
    'overloaded',
  ],
  rateLimited: true,
  handle:
    ({ submitJob, resolveAccount, estimateJob, readJson, config }: Needs) =>
    async (c) => {
      const caller = c.get('caller');
      const json = await readJson(c, caller.tenant);
      const user = broughtKey(c, config);
      const { waitMs } = preferencesOf(c);
      const { metadata, timeout_seconds, deadline_seconds, webhook, model, on_unsupported, ...fields } = parseOr(
        'invalid_body',
        completeBody,
        json,
      );
      const request = { model: chooseModel(model, user ? null : config.platformModel), ...fields };
      const told = webhook
        ? { url: takenWebhookUrl(webhook.url, 'webhook.url', config), events: webhook.events ?? JOB_EVENTS }
        : null;
      const account = resolveAccount(caller.tenant, user);
      const { request: asked, ...estimated } = estimateJob(request, {
        account,
        caller,
        names: BODY_NAMES,
        onUnsupported: on_unsupported,
      });
      const submitted = await submitJob({
        caller,
        tellRate: (rate) => {
          releaseBody(c);
          tellRate(c, rate);
        },
        account,
        judged: {
          ...estimated,
          needs: needsOf(asked),
          model: request.model,
          streamed: false,
          asked: { format: 'neutral', request: asked },
        },
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
        waiting: null,
      });
      const { waitedMs } = submitted;
      if (waitedMs > 0) c.header('Preference-Applied', `wait=${waitedMs / 1_000}`);
      return answerSubmitted(c, submitted);
    },
});
