/** Deliveries and their way to the endpoints: one call here that changes something is one atomic script. */
import type { Redis } from 'ioredis';
import type { DeliveryId, TenantId } from '../../domain/ids.ts';
import type { DeliveryRecord } from '../../domain/records/delivery-record.ts';
import type { LimitsInForce } from '../../domain/tenants/limits.ts';
import { toDelivery } from '../../domain/webhooks/delivery.ts';
import type { DeliveryCode, DeliveryStatus } from '../../domain/webhooks/delivery-states.ts';
import type { WebhookEventType } from '../../domain/webhooks/event-types.ts';
import type { Delivery } from '../../domain/webhooks/schema.ts';
import { endpointOf } from '../../domain/webhooks/webhook.ts';
import type { RunCommand } from '../commands/command.ts';
import { claimDelivery, redeliver, settleDelivery, tend, testWebhook } from '../commands/webhooks/commands.ts';
import type { Handoff } from '../queue/queues.ts';
import { fieldsOf } from '../records/fields.ts';
import { key, shardTag } from '../redis/names.ts';
import { shardOf, tenantTag } from '../redis/shards.ts';
import { answerOf, answersOf } from '../redis/unavailable.ts';
import type { SecretFields } from './webhook-secret-store.ts';

const IDS_A_CALL = 64;

export type DeliveryClaim = {
  attempt: number;
  tenant: TenantId;
  /** The id of the job or batch; '' of a test. */
  subject: string;
  type: WebhookEventType;
  url: string;
  happenedMs: number;
  /** Counted failures so far. */
  failures: number;
  secrets: SecretFields;
};

type DeliverySettlement = {
  id: DeliveryId;
  attempt: number;
  /** The mark given to `claim`. */
  mark: string;
  code: DeliveryCode;
  /** Of the endpoint's answer; null where none came. */
  status: number | null;
  ms: number;
  next:
    | { kind: 'delivered' }
    | { kind: 'retry'; waitMs: number }
    /** `reason` where nothing was sent. */
    | { kind: 'failed'; reason: 'subject_gone' | null }
    /** Failed, and its URL gets no other. */
    | { kind: 'disable' }
    /** The worker could not finish it. */
    | { kind: 'hand_back' };
};

type ListQuery = {
  tenant: TenantId;
  status: DeliveryStatus | null;
  limit: number;
  /** The `next` of the page before; null starts with the newest. */
  after: DeliveryPlace | null;
};
/** Where a page ended: an id and the time of its event, because the delivery may be forgotten by the time of the next page. */
export type DeliveryPlace = { id: DeliveryId; ms: number };

type TestEvent = {
  id: DeliveryId;
  url: string;
  watcher: string;
  limits: Pick<LimitsInForce, 'max_stored_bytes'>;
};
type TestAnswer =
  | { kind: 'sent'; handoffs: Handoff[]; shard: number }
  /** What the tenant stores already, and what this event would add. */
  | { kind: 'too_many_stored_bytes'; stored: number; own: number };

export type DeliveryStore = ReturnType<typeof createDeliveryStore>;

export const createDeliveryStore = ({ redis, run, shards }: { redis: Redis; run: RunCommand; shards: number }) => {
  const tagOf = (tenant: TenantId): string => tenantTag(tenant, shards);

  /** Null for one that is not stored, or another tenant's. */
  const readAll = async (tenant: TenantId, ids: readonly DeliveryId[]): Promise<(Delivery | null)[]> => {
    const pipeline = redis.pipeline();
    for (const id of ids) {
      pipeline.hgetall(key(tagOf(tenant), 'DELIVERY', id)).zscore(key(tagOf(tenant), 'OUTBOX'), id);
    }
    const replies = ids.length > 0 ? await answersOf(pipeline.exec()) : [];
    return ids.map((id, index) => {
      const [record, dueMs] = replies.slice(2 * index, 2 * index + 2);
      // Casts because a pipeline does not know the types of its answers.
      const fields = record as DeliveryRecord;
      return fields.tenant === tenant ? toDelivery(id, fields, (dueMs as string | null) ?? '0') : null;
    });
  };

  return {
    read: async (tenant: TenantId, id: DeliveryId): Promise<Delivery | null> =>
      (await readAll(tenant, [id]))[0] ?? null,

    /** A page of a tenant's deliveries, newest event first. With a status it may be short although more follow; `next` is null at the end. */
    list: async ({ tenant, status, limit, after }: ListQuery) => {
      const index = key(tagOf(tenant), 'TENANT_DELIVERIES', tenant);
      const found: Delivery[] = [];
      let place = after;
      for (let piece = 0; piece < 2 && found.length < limit; piece++) {
        const rank = place && (await answerOf(redis.zrevrank(index, place.id)));
        const start =
          place === null ? 0 : rank === null ? await answerOf(redis.zcount(index, place.ms, '+inf')) : rank + 1;
        const ids = (await answerOf(redis.zrevrange(index, start, start + IDS_A_CALL - 1))) as DeliveryId[];
        for (const delivery of await readAll(tenant, ids)) {
          if (delivery === null) continue;
          if (found.length === limit) return { deliveries: found, next: place };
          place = { id: delivery.id, ms: Date.parse(delivery.created_at) };
          if (status === null || delivery.status === status) found.push(delivery);
        }
        if (ids.length < IDS_A_CALL) return { deliveries: found, next: null };
      }
      return { deliveries: found, next: place };
    },

    /** Sends a test event to a URL, where it fits beside what the tenant stores; `watcher`: the API process to be told of its end. */
    test: async (tenant: TenantId, { id, url, watcher, limits }: TestEvent): Promise<TestAnswer> => {
      const reply = await run(testWebhook, tagOf(tenant), {
        id,
        tenant,
        endpoint: endpointOf(tenant, url),
        url,
        watcher,
        maxStoredBytes: limits.max_stored_bytes,
      });
      return reply[0] === 'sent'
        ? { kind: 'sent', handoffs: reply[1], shard: shardOf(tenant, shards) }
        : { kind: reply[0], stored: reply[1], own: reply[2] };
    },

    /** Sends a delivery again. `subject_gone`: what it tells of is no longer stored; `too_soon`: it was sent again a few seconds ago. */
    redeliver: async (tenant: TenantId, id: DeliveryId) => {
      const [answer, , , , handoffs] = await run(redeliver, tagOf(tenant), {
        tenant,
        id,
        fromMs: '',
        toMs: '',
        skip: 0,
      });
      return { answer, handoffs, shard: shardOf(tenant, shards) };
    },

    /** Sends again at most 64 of those that failed from then on. `goOn` is what to pass for the next ones; null: there are none. */
    redeliverFailed: async (tenant: TenantId, sinceMs: number, goOn: { nowMs: number; left: number } | null) => {
      const [, sent, more, nowMs, handoffs, left] = await run(redeliver, tagOf(tenant), {
        tenant,
        id: '',
        fromMs: sinceMs,
        toMs: goOn?.nowMs ?? null,
        skip: goOn?.left ?? 0,
      });
      const next = { nowMs: goOn?.nowMs ?? nowMs, left: (goOn?.left ?? 0) + left };
      return { sent, goOn: more === 1 ? next : null, handoffs, shard: shardOf(tenant, shards) };
    },

    /** Opens an attempt; `claim` is null where the hand-off is not the current one. `mark` as in a job's claim. */
    claim: async (
      shard: number,
      { id, handoff, mark, mostFailures }: { id: DeliveryId; handoff: string; mark: string; mostFailures: number },
    ): Promise<{ claim: DeliveryClaim | null; handoffs: Handoff[] }> => {
      const reply = await run(claimDelivery, shardTag(shard), { id, handoff, mark, maxFailures: mostFailures });
      if (reply[0] === 'refused') return { claim: null, handoffs: reply[1] };
      const [, attempt, tenant, subject, type, url, happened, failures, secrets] = reply;
      const claim = { attempt, tenant, subject, type, url, happenedMs: Number(happened), failures };
      return { claim: { ...claim, secrets: fieldsOf(secrets) }, handoffs: [] };
    },

    /** Ends an attempt. Safe to call twice. */
    settle: async (shard: number, { id, attempt, mark, code, status, ms, next }: DeliverySettlement) => {
      const [became, handoffs] = await run(settleDelivery, shardTag(shard), {
        id,
        attempt,
        mark,
        next: next.kind,
        code,
        status: status ?? null,
        durationMs: ms,
        waitMs: next.kind === 'retry' ? next.waitMs : 0,
        reason: next.kind === 'failed' ? (next.reason ?? '') : '',
      });
      return { became, handoffs };
    },

    /** Looks after what is due: retries, lost hand-offs, paused endpoints, room that grew, what is to be forgotten; a bounded number. `slots`: deliveries that a worker has under way at once on this shard. */
    tend: async (shard: number, slots: number) => {
      const [more, handoffs] = await run(tend, shardTag(shard), { slots });
      return { more: more === 1, handoffs };
    },
  };
};
