/** POST /v1/batches: from a request to an accepted batch, and its answer. */
import { batchStatusOf, isFinalBatch, toBatch } from '../../../../shared/domain/batch.ts';
import { RequestError } from '../../../../shared/domain/errors.ts';
import type { Config } from '../../../../shared/process/config/config.ts';
import { broughtKey } from '../../../access/brought-key.ts';
import { idempotencyKey } from '../../../access/idempotency-key.ts';
import { declaredType, demandLength } from '../../../http/body/declared-body.ts';
import { readUpload } from '../../../http/body/read-upload.ts';
import { createUploadPace } from '../../../http/body/upload-pace.ts';
import type { ApiContext } from '../../../http/context.ts';
import { noQuery, readQuery } from '../../../http/query/read-query.ts';
import type { EstimateJob } from '../../../intake/estimate-job.ts';
import type { ResolveAccount } from '../../../intake/resolve-account.ts';
import type { AcceptBatch, AcceptedBatch } from '../../../intake/uploads/accept-batch.ts';
import { type BatchForm, batchQuery, jsonForm, ndjsonForm } from '../../../intake/uploads/batch-form.ts';
import { fillFromUpload } from '../../../intake/uploads/fill-from-upload.ts';
import type { UploadSlots } from '../../../intake/uploads/upload-slots.ts';
import { tellRate } from '../rate-headers.ts';

export type SubmitNeeds = {
  acceptBatch: AcceptBatch;
  uploadSlots: UploadSlots;
  estimateJob: EstimateJob;
  resolveAccount: ResolveAccount;
  config: Pick<Config, 'production' | 'sandbox' | 'http' | 'platformModel' | 'webhooks' | 'batches' | 'jobs'>;
};

export const submitBatch = async (
  c: ApiContext,
  { acceptBatch, uploadSlots, estimateJob, resolveAccount, config }: SubmitNeeds,
): Promise<Response> => {
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
        limitBytes: config.http.maxBodyBytes,
        estimate: (request, onUnsupported) => estimateJob(request, { account, caller, place: 'body.', onUnsupported }),
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
};

const formOf = (c: ApiContext, config: SubmitNeeds['config']): BatchForm => {
  const needs = { limits: { limitBytes: config.http.maxBodyBytes, maxLines: config.batches.maxLines }, config };
  switch (declaredType(c, ['application/x-ndjson', 'application/json'])) {
    case 'application/x-ndjson':
      return ndjsonForm(readQuery(c, batchQuery), needs);
    case 'application/json':
      readQuery(c, noQuery);
      return jsonForm(needs);
  }
};

/** 202 with the batch; 200 where an earlier one that is final comes back. */
export const answerAccepted = (c: ApiContext, { view, replayed }: AcceptedBatch): Response => {
  c.get('logged').batch_id = view.id;
  if (replayed) c.header('Idempotency-Replayed', 'true');
  c.header('Location', `/v1/batches/${view.id}`);
  if (isFinalBatch(batchStatusOf(view))) return c.json(toBatch(view), 200);
  c.header('Retry-After', '1');
  return c.json(toBatch(view), 202);
};
