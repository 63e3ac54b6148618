/** POST /v1/batches/{id}/retry: the lines that failed or expired, again, as a batch of their own. */
import { z } from 'zod';
import type { Account } from '../../../../shared/domain/account.ts';
import { type BatchView, batchStatusOf, optionsOfBatch } from '../../../../shared/domain/batches/batch.ts';
import { isFinalBatch } from '../../../../shared/domain/batches/states.ts';
import { RequestError } from '../../../../shared/domain/errors.ts';
import { NAMED } from '../../../../shared/domain/wire.ts';
import type { BatchIds } from '../../../../shared/keys/digests/genuine-ids.ts';
import type { Config } from '../../../../shared/process/config/config.ts';
import type { Line, NewLine } from '../../../../shared/storage/batches/batch-staging.ts';
import type { BatchStore } from '../../../../shared/storage/batches/batch-store.ts';
import { BROUGHT_KEY_ERRORS, broughtKey } from '../../../access/brought-key.ts';
import { idempotencyKey } from '../../../access/idempotency-key.ts';
import { operation } from '../../../access/operation.ts';
import { tellRate } from '../../../access/rate-headers.ts';
import { type ReadJson, readOptionalJson } from '../../../http/body/read-json.ts';
import { parseOr } from '../../../http/query/parse-or.ts';
import { noQuery, readQuery } from '../../../http/query/read-query.ts';
import type { EstimateJob } from '../../../intake/estimate-job.ts';
import type { ResolveAccount } from '../../../intake/resolve-account.ts';
import { BODY_NAMES } from '../../../intake/support/names.ts';
import type { AcceptBatch, BatchOffer } from '../../../intake/uploads/accept-batch.ts';
import { ACCEPTED_BATCH, answerAccepted } from './accepted-batch.ts';
import { genuineBatch, storedBatch } from './named-batch.ts';

const REPEATABLE = ['failed', 'expired'] as const;

export const retryBody = z
  .strictObject({ only: z.array(z.enum(REPEATABLE)).min(1).max(REPEATABLE.length).optional() })
  .register(NAMED, { id: 'BatchRetry' });

type Needs = {
  acceptBatch: AcceptBatch;
  batches: Pick<BatchStore, 'read' | 'repeatable'>;
  batchIds: BatchIds;
  estimateJob: EstimateJob;
  resolveAccount: ResolveAccount;
  readJson: ReadJson;
  config: Pick<Config, 'sandbox' | 'http'>;
};

export const retryBatch = operation({
  method: 'POST',
  path: '/v1/batches/:id/retry',
  access: 'jobs:write',
  summary: 'Runs the lines that failed or expired again, as a batch of their own',
  lateQuery: noQuery,
  body: { schema: retryBody, optional: true },
  headers: ['X-User-API-Key', 'X-User-Provider', 'Idempotency-Key'],
  answers: ACCEPTED_BATCH,
  errors: [
    'model_unpriced',
    'unsupported_by_provider',
    ...BROUGHT_KEY_ERRORS,
    'model_not_allowed',
    'conflict',
    'idempotency_in_progress',
    'idempotency_mismatch',
    'result_expired',
    'too_many_queued',
    'too_many_stored_bytes',
    'overloaded',
  ],
  rateLimited: true,
  handle:
    ({ acceptBatch, batches, batchIds, estimateJob, resolveAccount, readJson, config }: Needs) =>
    async (c) => {
      const id = genuineBatch(c, batchIds);
      readQuery(c, noQuery);
      const caller = c.get('caller');
      const json = await readOptionalJson(c, caller.tenant, readJson);
      const account = resolveAccount(caller.tenant, broughtKey(c, config));
      const { only = REPEATABLE } = parseOr('invalid_body', retryBody, json);
      const key = idempotencyKey(c);
      const estimated = (line: Line): NewLine => {
        const { cost, refusal, ...more } = estimateJob(line.request, { account, caller, names: BODY_NAMES });
        if (refusal !== null) throw refusal;
        return { ...line, ...more, estimateNano: cost?.estimateNano ?? null };
      };
      const fill: BatchOffer['fill'] = async (add) => {
        // Not before: what was accepted earlier is answered also when this is gone.
        const parent = await storedBatch(c, id, batches);
        demandSameAccount(parent, account);
        if (!isFinalBatch(batchStatusOf(parent))) {
          throw new RequestError('conflict', {
            message: 'Only a batch that has ended can be run again; wait for its end.',
          });
        }
        let found = 0;
        for await (const lines of batches.repeatable(caller.tenant, id, only)) {
          found += lines.length;
          await add(lines.map(estimated));
        }
        if (found > 0) return { ...optionsOfBatch(parent), errors: [], skipped: 0 };
        throw new RequestError('conflict', {
          message: `No line of this batch has ${only.join(' or ')}: there is nothing to run again.`,
        });
      };
      const accepted = await acceptBatch({
        caller,
        tellRate: (rate) => tellRate(c, rate),
        traceparent: c.get('traceparent'),
        account,
        parent: id,
        idempotency: key === null ? null : { key, route: 'POST /v1/batches/{id}/retry' },
        fill,
        request: async () => {
          const text = JSON.stringify([id, REPEATABLE.filter((status) => only.includes(status))]);
          return { meaning: text, former: text };
        },
      });
      return answerAccepted(c, accepted);
    },
});

/** What ran on a user's key needs one of the same provider again, and never runs on another account; nor does what ran on the platform's. */
const demandSameAccount = ({ record }: BatchView, { credential, provider }: Account): void => {
  if (record.credential === 'user' && (credential !== 'user' || provider !== record.provider)) {
    throw new RequestError('user_key_required', {
      param: 'X-User-API-Key',
      message: `This batch ran on a user’s key, which is not kept: send X-User-API-Key and X-User-Provider: ${record.provider} again.`,
    });
  }
  if (record.credential === 'platform' && credential === 'user') {
    throw new RequestError('invalid_header', {
      param: 'X-User-API-Key',
      message: 'This batch ran on the platform’s account, and its lines run there again: leave X-User-API-Key out.',
    });
  }
};
