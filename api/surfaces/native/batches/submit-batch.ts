/** POST /v1/batches: from a request to an accepted batch, and its answer. */
import { RequestError } from '../../../../shared/domain/errors.ts';
import type { Config } from '../../../../shared/process/config/config.ts';
import { BROUGHT_KEY_ERRORS, broughtKey } from '../../../access/brought-key.ts';
import { idempotencyKey } from '../../../access/idempotency-key.ts';
import { operation } from '../../../access/operation.ts';
import { tellRate } from '../../../access/rate-headers.ts';
import { declaredType, demandLength } from '../../../http/body/declared-body.ts';
import { readUpload } from '../../../http/body/read-upload.ts';
import { createUploadPace } from '../../../http/body/upload-pace.ts';
import type { ApiContext } from '../../../http/context.ts';
import { noQuery, readQuery } from '../../../http/query/read-query.ts';
import type { EstimateJob } from '../../../intake/estimate-job.ts';
import type { ResolveAccount } from '../../../intake/resolve-account.ts';
import { LINE_NAMES } from '../../../intake/support/names.ts';
import type { AcceptBatch } from '../../../intake/uploads/accept-batch.ts';
import { type BatchForm, batchBody, batchQuery, jsonForm, ndjsonForm } from '../../../intake/uploads/batch-form.ts';
import { batchLine } from '../../../intake/uploads/check-line.ts';
import { fillFromUpload } from '../../../intake/uploads/fill-from-upload.ts';
import type { UploadSlots } from '../../../intake/uploads/upload-slots.ts';
import { ACCEPTED_BATCH, answerAccepted } from './accepted-batch.ts';

type Needs = {
  acceptBatch: AcceptBatch;
  uploadSlots: UploadSlots;
  estimateJob: EstimateJob;
  resolveAccount: ResolveAccount;
  config: Pick<Config, 'production' | 'sandbox' | 'http' | 'platformModel' | 'webhooks' | 'batches' | 'jobs'>;
};

export const submitBatch = operation({
  method: 'POST',
  path: '/v1/batches',
  access: 'jobs:write',
  summary:
    'Submits a batch of completions: as NDJSON, with the options in the query, or as JSON, with the options in the body',
  // It goes with NDJSON only.
  lateQuery: batchQuery,
  body: { schema: batchBody, line: batchLine },
  headers: ['X-User-API-Key', 'X-User-Provider', 'Idempotency-Key'],
  answers: ACCEPTED_BATCH,
  errors: [
    ...BROUGHT_KEY_ERRORS,
    'webhook_url_refused',
    'result_expired',
    'request_timeout',
    'conflict',
    'idempotency_in_progress',
    'idempotency_mismatch',
    'too_many_queued',
    'too_many_stored_bytes',
    'overloaded',
  ],
  rateLimited: true,
  handle:
    ({ acceptBatch, uploadSlots, estimateJob, resolveAccount, config }: Needs) =>
    async (c) => {
      const { maxBytes } = config.batches;
      const tooLarge = (): RequestError =>
        new RequestError('body_too_large', {
          message: `A batch may have at most ${maxBytes} bytes; send the rest as another batch.`,
        });
      const form = formOf(c, config);
      demandLength(c, maxBytes, tooLarge);
      const user = broughtKey(c, config);
      const key = idempotencyKey(c);
      const caller = c.get('caller');
      const account = resolveAccount(caller.tenant, user);
      const pace = createUploadPace();
      const leave = uploadSlots.take(caller.tenant, pace);
      try {
        const { leftOutBytes, ...upload } = fillFromUpload({
          form,
          chunks: readUpload(c.env, { limitBytes: maxBytes, tooLarge, pace }),
          rules: {
            defaultModel: user ? null : config.platformModel,
            limitBytes: config.batches.maxLineBytes,
            estimate: (request, onUnsupported) =>
              estimateJob(request, { account, caller, names: LINE_NAMES, onUnsupported }),
            defaultTimeoutMs: config.jobs.defaultTimeoutMs,
          },
          compared: key !== null,
        });
        const accepted = await acceptBatch({
          caller,
          tellRate: (rate) => tellRate(c, rate),
          traceparent: c.get('traceparent'),
          account,
          parent: null,
          idempotency: key === null ? null : { key, route: 'POST /v1/batches' },
          ...upload,
        });
        if (!accepted.replayed) c.set('unkept', leftOutBytes());
        return answerAccepted(c, accepted);
      } finally {
        leave();
      }
    },
});

const formOf = (c: ApiContext, config: Needs['config']): BatchForm => {
  const needs = { limits: { limitBytes: config.batches.maxLineBytes, maxLines: config.batches.maxLines }, config };
  switch (declaredType(c, ['application/x-ndjson', 'application/json'])) {
    case 'application/x-ndjson':
      return ndjsonForm(readQuery(c, batchQuery), needs);
    case 'application/json':
      readQuery(c, noQuery);
      return jsonForm(needs);
  }
};
