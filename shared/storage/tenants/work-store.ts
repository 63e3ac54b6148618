/** A tenant's unfinished work as a whole, and how the operator stops it: first nothing of it can start any more, then it ends piece by piece. */
import type { Redis } from 'ioredis';
import type { Actor } from '../../domain/audit/audit-row.ts';
import type { TenantId } from '../../domain/ids.ts';
import type { TenantWork } from '../../domain/tenants/schema.ts';
import type { StopReason } from '../../domain/tenants/stops.ts';
import type { RunCommand } from '../commands/command.ts';
import { endWork, eraseWork, forgetStopOrder, stopWork } from '../commands/tenants/commands.ts';
import { ERASED_STUB_MS } from '../jobs/job-store.ts';
import type { Handoff } from '../queue/queues.ts';
import { timeText } from '../records/fields.ts';
import { key, REGISTRY_TAG, shardTag } from '../redis/names.ts';
import { shardOf, tenantTag } from '../redis/shards.ts';
import { answerOf } from '../redis/unavailable.ts';

export type WorkStore = ReturnType<typeof createWorkStore>;

/** Of a tenant that never had any. */
export const noWork = (tenant: TenantId): TenantWork => ({
  object: 'tenant_work',
  tenant,
  waiting_jobs: 0,
  waiting_lines: 0,
  in_flight: 0,
  stop: null,
  erasure: null,
});

/** What one piece made room for, and more. */
export const HANDOFFS_A_PIECE = 64;

/** How many jobs ended that were waiting, and the hand-offs that there is room for now. */
export type EndedPiece = { shard: number; jobs: number; handoffs: Handoff[] };

export const createWorkStore = ({
  redis,
  run,
  shards,
  retentionMs,
}: {
  redis: Redis;
  run: RunCommand;
  shards: number;
  retentionMs: number;
}) => ({
  /**
   * Carries out the orders about these tenants that the registry gave and nobody has carried out. When it resolves nothing of what they stop can start.
   * Safe to call at any time, and twice.
   */
  carryOut: async (isMeant: (tenant: TenantId) => boolean): Promise<void> => {
    const orders = await answerOf(redis.hgetall(key(REGISTRY_TAG, 'STOP_ORDERS')));
    for (const [subject, order] of Object.entries(orders)) {
      const [tenant = '', platformKey = ''] = subject.split(':');
      // A cast because the registry gives orders about tenants only.
      const id = tenant as TenantId;
      if (!isMeant(id)) continue;
      const [number = '', reason = '', actor = ''] = order.split(' ');
      await run(stopWork, tenantTag(id, shards), { tenant: id, reason, platformKey, order: number, actor });
      await run(forgetStopOrder, REGISTRY_TAG, { subject, order });
    }
  },

  /** Stops what the tenant asked for up to now; what it asks for from here on runs. */
  cancel: async (tenant: TenantId, actor: Actor): Promise<void> => {
    await run(stopWork, tenantTag(tenant, shards), { tenant, reason: 'cancelled', platformKey: '', order: '', actor });
  },

  /** Tenants of which something is stopped and has not all ended, or is to be erased. */
  stopping: async (shard: number): Promise<TenantId[]> =>
    // A cast because `stop-work` enters ids of tenants.
    (await answerOf(redis.smembers(key(shardTag(shard), 'STOPPING')))) as TenantId[],

  /**
   * Ends a tenant's stopped work, a piece at each step, and then erases its data if that was ordered. It is over when there is nothing more to do just now: the last of it may wait
   * for calls that are being aborted. The caller gives the hand-offs to BullMQ.
   */
  end: async function* (tenant: TenantId, { mostHandoffs }: { mostHandoffs: number }): AsyncGenerator<EndedPiece> {
    const tag = tenantTag(tenant, shards);
    const shard = shardOf(tenant, shards);
    for (let moved = true; moved; ) {
      // The casts: the forms of the answers are those in the scripts' headers.
      const [state, jobs, handoffs] = await run(endWork, tag, { tenant, retentionMs, maxHandoffs: mostHandoffs });
      yield { shard, jobs, handoffs };
      moved = state === 'more';
      if (state === 'erase') moved = (await run(eraseWork, tag, { tenant, stubMs: ERASED_STUB_MS })) === 'more';
    }
  },

  shardOf: (tenant: TenantId): number => shardOf(tenant, shards),

  /** How a tenant's work stands; null for one that never had any here. */
  read: async (tenant: TenantId): Promise<TenantWork | null> => {
    const tag = tenantTag(tenant, shards);
    const replies = await answerOf(
      redis
        .multi()
        .sismember(key(tag, 'TENANTS'), tenant)
        .hgetall(key(tag, 'STOPS', tenant))
        .hmget(key(tag, 'TENANT', tenant), 'waiting:interactive', 'waiting:batch', 'inflight')
        .exec(),
    );
    // Casts because MULTI does not know the types of its answers.
    const [isKnown, stops = {}, counts = []] = (replies ?? []).map(([, reply]) => reply) as [
      number?,
      Record<string, string>?,
      (string | null)[]?,
    ];
    if (isKnown !== 1 && !stops.began) return null;
    const count = (text: string | null | undefined): number => Number(text ?? 0);
    const [jobs, lines, inFlight] = counts;
    return {
      object: 'tenant_work',
      tenant,
      waiting_jobs: count(jobs),
      waiting_lines: count(lines),
      in_flight: count(inFlight),
      stop: stops.began
        ? {
            // A cast because only `stop-work` writes it.
            reason: stops.reason as StopReason,
            platform_key: stops.key || null,
            began_at: timeText(stops.began) ?? '',
            ended_at: timeText(stops.ended),
            jobs: count(stops.jobs),
            batches: count(stops.batches),
            lines: count(stops.lines),
            running: count(stops.running),
          }
        : null,
      erasure:
        stops.erase || stops.erased
          ? {
              ended_at: stops.erase ? null : timeText(stops.erased),
              jobs: count(stops.erased_jobs),
              batches: count(stops.erased_batches),
              deliveries: count(stops.erased_deliveries),
            }
          : null,
    };
  },
});
