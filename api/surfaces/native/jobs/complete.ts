import type { Hono } from 'hono';
import { z } from 'zod';
import { RequestError } from '../../../../shared/domain/errors.ts';
import { isFinal, statusOf, toJob } from '../../../../shared/domain/job.ts';
import { JOB_EVENTS } from '../../../../shared/domain/webhook-event.ts';
import type { Config } from '../../../../shared/process/config/config.ts';
import { broughtKey } from '../../../access/brought-key.ts';
import { idempotencyKey } from '../../../access/idempotency-key.ts';
import { route } from '../../../access/route.ts';
import type { ReadJson } from '../../../http/body/read-json.ts';
import type { ApiContext, ApiEnv } from '../../../http/context.ts';
import { parameterOf, partsOf } from '../../../http/headers/header-list.ts';
import { parseOr } from '../../../http/query/parse-or.ts';
import { noQuery, readQuery } from '../../../http/query/read-query.ts';
import { clientGone } from '../../../http/server/client-gone.ts';
import { chooseModel, completionBody } from '../../../intake/completion-body.ts';
import type { ResolveAccount } from '../../../intake/resolve-account.ts';
import type { Submission, Submitted } from '../../../intake/submit-job.ts';
import { takenWebhookUrl } from '../../../intake/taken-webhook-url.ts';
import { LONGEST_ASKED_SECONDS } from '../answer-state.ts';
import { tellRate } from '../rate-headers.ts';

export const completeBody = completionBody.extend({
  deadline_seconds: z
    .int()
    .min(1)
    .max(86_400)
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

/** `Prefer: wait=N` in milliseconds; 0 where it is not asked for. Other preferences may be ignored (RFC 7240). */
const preferredWaitMs = (c: ApiContext): number => {
  const wait = partsOf(c.req.header('prefer') ?? '', ',')
    // A preference may have parameters of its own, which none of ours has.
    .map((preference) => parameterOf(partsOf(preference, ';')[0] ?? ''))
    .find((preference) => preference?.name === 'wait');
  if (!wait) return 0;
  const seconds = /^\d{1,9}$/.test(wait.value) ? Number(wait.value) : 0;
  if (!(seconds >= 1 && seconds <= LONGEST_ASKED_SECONDS)) {
    throw new RequestError('invalid_header', {
      param: 'Prefer',
      message: `Prefer: wait=N takes 1 to ${LONGEST_ASKED_SECONDS} seconds.`,
    });
  }
  return seconds * 1_000;
};

export const addCompleteRoute = (
  app: Hono<ApiEnv>,
  {
    submitJob,
    resolveAccount,
    readJson,
    config,
  }: {
    submitJob: (submission: Submission) => Promise<Submitted>;
    resolveAccount: ResolveAccount;
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
      const waitMs = preferredWaitMs(c);
      const { metadata, timeout_seconds, deadline_seconds, webhook, model, on_unsupported, ...request } = parseOr(
        'invalid_body',
        completeBody,
        json,
      );
      const defaultModel = user ? null : config.platformModel;
      const { view, replayed, waitedMs } = await submitJob({
        caller,
        tellRate: (rate) => tellRate(c, rate),
        account: resolveAccount(caller.tenant, user),
        body: json,
        request: { model: chooseModel(model, defaultModel), ...request },
        onUnsupported: on_unsupported,
        metadata,
        webhook: webhook
          ? { url: takenWebhookUrl(webhook.url, 'webhook.url', config), events: webhook.events ?? JOB_EVENTS }
          : null,
        timeoutMs: timeout_seconds === undefined ? null : timeout_seconds * 1_000,
        deadlineMs: deadline_seconds === undefined ? null : deadline_seconds * 1_000,
        traceparent: c.get('traceparent'),
        idempotencyKey: idempotencyKey(c),
        wait: waitMs > 0 ? { ms: waitMs, gone: clientGone(c) } : null,
      });
      c.get('logged').job_id = view.id;
      if (waitedMs > 0) c.header('Preference-Applied', `wait=${waitedMs / 1_000}`);
      if (replayed) c.header('Idempotency-Replayed', 'true');
      else c.set('unkept', 0);
      c.header('Location', `/v1/jobs/${view.id}`);
      const job = toJob(view, { withResult: true });
      if (isFinal(statusOf(view))) return c.json(job, 200);
      c.header('Retry-After', '1');
      return c.json(job, 202);
    },
  });
};
