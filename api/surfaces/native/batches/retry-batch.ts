/** POST /v1/batches/{id}/retry: the lines that failed or expired, again, as a batch of their own. */
import { z } from 'zod';
import type { Account } from '../../../../shared/domain/account.ts';
import { type BatchView, batchStatusOf, optionsOfBatch } from '../../../../shared/domain/batches/batch.ts';
import { isFinalBatch } from '../../../../shared/domain/batches/states.ts';
import { RequestError } from '../../../../shared/domain/errors.ts';
import type { BatchId } from '../../../../shared/domain/ids.ts';
import type { Config } from '../../../../shared/process/config/config.ts';
import type { Line, NewLine } from '../../../../shared/storage/batches/batch-staging.ts';
import type { BatchStore } from '../../../../shared/storage/batches/batch-store.ts';
import { broughtKey } from '../../../access/brought-key.ts';
import { idempotencyKey } from '../../../access/idempotency-key.ts';
import { type ReadJson, readOptionalJson } from '../../../http/body/read-json.ts';
import type { ApiContext } from '../../../http/context.ts';
import { parseOr } from '../../../http/query/parse-or.ts';
import { noQuery, readQuery } from '../../../http/query/read-query.ts';
import type { EstimateJob } from '../../../intake/estimate-job.ts';
import type { ResolveAccount } from '../../../intake/resolve-account.ts';
import type { AcceptBatch, BatchOffer } from '../../../intake/uploads/accept-batch.ts';
import { tellRate } from '../rate-headers.ts';
import { answerAccepted } from './submit-batch.ts';

const REPEATABLE = ['failed', 'expired'] as const;

export const retryBody = z.strictObject({
  only: z.array(z.enum(REPEATABLE)).min(1).max(REPEATABLE.length).optional(),
});

type Needs = {
  acceptBatch: AcceptBatch;
  batches: Pick<BatchStore, 'repeatable'>;
  estimateJob: EstimateJob;
  resolveAccount: ResolveAccount;
  readJson: ReadJson;
  config: Pick<Config, 'sandbox' | 'http'>;
};

/** `readParent` throws where it is no longer stored: what was accepted before is answered all the same. */
export const retryBatch = async (
  c: ApiContext,
  id: BatchId,
  readParent: () => Promise<BatchView>,
  { acceptBatch, batches, estimateJob, resolveAccount, readJson, config }: Needs,
): Promise<Response> => {
  readQuery(c, noQuery);
  const caller = c.get('caller');
  const json = await readOptionalJson(c, caller.tenant, readJson);
  const account = resolveAccount(caller.tenant, broughtKey(c, config));
  const { only = REPEATABLE } = parseOr('invalid_body', retryBody, json);
  const key = idempotencyKey(c);
  const estimated = (line: Line): NewLine => {
    const { cost, refusal, ...more } = estimateJob(line.request, { account, caller, place: '' });
    if (refusal !== null) throw refusal;
    return { ...line, ...more, estimateNano: cost?.estimateNano ?? null };
  };
  const fill: BatchOffer['fill'] = async (add) => {
    const parent = await readParent();
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
};

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
