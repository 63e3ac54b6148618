/** The audit log as it lies in Redis: a stream of rows, a stream of the seals over them, and a checkpoint in the place of what was forgotten. */
import type { Redis } from 'ioredis';
import { type AuditRow, parseAuditRow } from '../audit/audit-row.ts';
import { BEGINNING, type Checkpoint, type Entry, type Link, type Seal } from '../audit/audit-seals.ts';
import type { TenantId } from '../ids.ts';
import { type KeyName, key, REGISTRY_TAG, shardTag } from '../redis/keys.ts';
import type { RunScript } from '../redis/scripts.ts';
import { tenantTag } from '../redis/shards.ts';
import { answerOf } from '../redis/unavailable.ts';

const LEASE_MS = 3_000;
const ROWS_A_SEAL = 64;
const SEALS_A_READ = 16;
const ROWS_A_COUNT = 1_000;
/** Rows of a chain that one page looks through for a tenant's. */
const ROWS_A_SEARCH = 512;

/** A chain of the log: `s0`, `s1`, … for the shards, and `registry`. */
export type Chain = string;

/** A row's place in the whole log: its chain and its id there. */
export type AuditPlace = { chain: Chain; id: string };

export type AuditPage = { rows: AuditRow[]; next: AuditPlace | null };

export type SealedRows = { seal: Seal; entries: Entry[] };

export type AuditStore = ReturnType<typeof createAuditStore>;

export const createAuditStore = ({ redis, run, shards }: { redis: Redis; run: RunScript; shards: number }) => {
  const chainOf = (tag: string): Chain => tag.slice(1, -1);
  const tags = [...Array.from({ length: shards }, (_, shard) => shardTag(shard)), REGISTRY_TAG];
  const tagOf = (chain: Chain): string => `{${chain}}`;
  const at = (chain: Chain, name: KeyName): string => key(tagOf(chain), name);
  const readRows = (chain: Chain, from: string, to: string, most: number): Promise<Entry[]> =>
    answerOf(redis.xrange(at(chain, 'AUDIT'), from, to, 'COUNT', most));

  return {
    chains: tags.map(chainOf),

    /**
     * A page of the log, newest first, of one tenant or of all; `next` is the place to go on after, null at the end.
     * A tenant's page may be short although more follow: it looks through a bounded part of the log.
     */
    list: async ({
      tenant,
      limit,
      after,
    }: {
      tenant: TenantId | null;
      limit: number;
      after: AuditPlace | null;
    }): Promise<AuditPage> => {
      const searched = tenant === null ? tags : [tenantTag(tenant, shards), REGISTRY_TAG];
      const most = tenant === null ? limit + 1 : ROWS_A_SEARCH;
      const parts = await Promise.all(
        searched.map(async (tag) => {
          const chain = chainOf(tag);
          const to = after === null ? '+' : chain > after.chain ? after.id : `(${after.id}`;
          const entries: Entry[] = await answerOf(redis.xrevrange(at(chain, 'AUDIT'), to, '-', 'COUNT', most));
          return entries.map(([id, fields]) => ({ chain, id, fields }));
        }),
      );
      // Where a chain has more, nothing is known beyond what was read of it.
      const cut = parts
        .filter((part) => part.length === most)
        .flatMap((part) => part.slice(-1))
        .toSorted(newestFirst)[0];
      const known = parts
        .flat()
        .filter((row) => cut === undefined || newestFirst(row, cut) <= 0)
        .toSorted(newestFirst);
      const rows: AuditRow[] = [];
      let next: AuditPlace | null = null;
      for (const { chain, id, fields } of known) {
        const row = parseAuditRow(chain, id, fields[1] ?? '');
        const wanted = row !== null && (tenant === null || row.tenant === tenant);
        if (wanted && rows.length === limit) return { rows, next };
        if (wanted) rows.push(row);
        next = { chain, id };
      }
      return { rows, next: cut === undefined ? null : next };
    },

    /** Null unless this worker holds the chain's lease. Appends a seal, if no other has taken its number, and answers the rows that are to be sealed next. */
    seal: async (chain: Chain, worker: string, seal: Seal | null) => {
      const [role, nowMs, number, last, mac, entries] = (await run('seal-audit', tagOf(chain), [
        worker,
        LEASE_MS,
        ROWS_A_SEAL,
        ...(seal ? [seal.number, seal.last, seal.rows, seal.sealedMs, seal.pepper, seal.mac] : []),
      ])) as ['follower'] | ['leader', nowMs: number, number: number, last: string, mac: string, Entry[]];
      return role === 'leader' ? { nowMs, newest: { number, last, mac } satisfies Link, entries } : null;
    },

    /** Where the chain begins; null where nothing of it is forgotten. */
    checkpoint: async (chain: Chain): Promise<Checkpoint | null> => {
      const {
        number,
        last = '',
        mac = '',
        pepper = '',
        check = '',
      } = await answerOf(redis.hgetall(at(chain, 'AUDIT_CHECKPOINT')));
      return number === undefined ? null : { number: Number(number), last, mac, pepper, check };
    },

    /** Makes the checkpoint the chain's beginning in the place of `before`, and forgets what it stands for. Safe to call twice. */
    trim: async (chain: Chain, before: Checkpoint | null, { number, last, mac, pepper, check }: Checkpoint) => {
      const [ms, count] = last.split('-');
      await run('trim-audit', tagOf(chain), [
        before?.number ?? BEGINNING.number,
        number,
        last,
        mac,
        pepper,
        check,
        `${ms}-${Number(count) + 1}`,
      ]);
    },

    /** The next seals after `before`, a few, each with the rows up to its last one. Empty at the end of the chain. */
    sealed: async (chain: Chain, before: Link): Promise<SealedRows[]> => {
      const replies = await answerOf(
        redis.xrange(at(chain, 'AUDIT_SEALS'), `${before.number + 1}-0`, '+', 'COUNT', SEALS_A_READ),
      );
      const seals = replies.map(parseSeal);
      const newest = seals.at(-1);
      if (!newest) return [];
      // One more than there may be, so that one too many shows.
      const most = seals.reduce((sum, { rows }) => sum + rows, 1);
      const entries = await readRows(chain, `(${before.last}`, newest.last, most);
      let from = 0;
      return seals.map((seal) => {
        const next = entries.findIndex(([id], index) => index >= from && compareIds(id, seal.last) > 0);
        const part = entries.slice(from, next < 0 ? undefined : next);
        from += part.length;
        return { seal, entries: part };
      });
    },

    /** The first row that stands before the chain's beginning, where none may; null where none does. */
    rowBefore: async (chain: Chain, { last }: Link): Promise<string | null> => {
      const [row] = await readRows(chain, '-', last, 1);
      return row?.[0] ?? null;
    },

    /** The rows after the newest seal: how many, and when the first of them was written. */
    unsealed: async (chain: Chain, { last }: Link) => {
      let [rows, from] = [0, last];
      let oldestMs: number | null = null;
      for (;;) {
        const entries = await readRows(chain, `(${from}`, '+', ROWS_A_COUNT);
        const newest = entries.at(-1);
        if (!newest) return { rows, oldestMs };
        oldestMs ??= timeOf(entries[0]?.[0] ?? from);
        rows += entries.length;
        from = newest[0];
      }
    },
  };
};

/** Unix milliseconds at which a row was written. */
export const timeOf = (id: string): number => Number.parseInt(id, 10);

/** Below zero where `id` was written first. */
const compareIds = (id: string, other: string): number => {
  const [ms = 0, count = 0] = id.split('-').map(Number);
  const [otherMs = 0, otherCount = 0] = other.split('-').map(Number);
  return ms - otherMs || count - otherCount;
};

const newestFirst = (one: AuditPlace, other: AuditPlace): number =>
  compareIds(other.id, one.id) || (one.chain < other.chain ? -1 : Number(one.chain > other.chain));

const parseSeal = ([id, fields]: Entry): Seal => {
  const [, last = '', , rows, , sealed, , pepper = '', , mac = ''] = fields;
  return { number: Number.parseInt(id, 10), last, rows: Number(rows), sealedMs: Number(sealed), pepper, mac };
};
