/** Requests of a tenant that are neither a job nor a batch, and count toward the same limit. */
import type { TenantId } from '../../domain/ids.ts';
import type { LimitsInForce } from '../../domain/tenants/limits.ts';
import type { RunCommand } from '../commands/command.ts';
import { takeRequest } from '../commands/jobs/commands.ts';
import type { RateState } from '../jobs/accept-job.ts';
import { tenantTag } from '../redis/shards.ts';

export type TakeAnswer = { rate: RateState } & ({ kind: 'taken' } | { kind: 'rate_limited'; waitMs: number });

export type RequestStore = ReturnType<typeof createRequestStore>;

export const createRequestStore = ({ run, shards }: { run: RunCommand; shards: number }) => ({
  /** Counts one more, where the limit allows it. */
  take: async (
    tenant: TenantId,
    { requests_per_minute }: Pick<LimitsInForce, 'requests_per_minute'>,
  ): Promise<TakeAnswer> => {
    // A cast because the form is that of the script's header.
    const [kind, [remaining, resetMs], waitMs] = await run(takeRequest, tenantTag(tenant, shards), {
      tenant,
      requestsPerMinute: requests_per_minute,
    });
    const rate = { remaining, resetMs };
    return kind === 'taken' ? { kind, rate } : { kind, rate, waitMs };
  },
});
