/** The audit log as it lies in Redis: a stream of rows, a stream of the seals over them, and a checkpoint in the place of what was forgotten. */
import type { Redis } from 'ioredis';
import { type AuditRow, isRow, parseAuditRow } from '../../domain/audit/audit-row.ts';
import { compareStreamIds, isStreamId, streamIdAfter } from '../../domain/audit/stream-id.ts';
import type { TenantId } from '../../domain/ids.ts';
import { BEGINNING, type Checkpoint, type Entry, type Link, type Seal } from '../../keys/signing/audit-seals.ts';
import { noteLogin, sealAudit, trimAudit } from '../commands/audit/commands.ts';
import type { RunCommand } from '../commands/command.ts';
import { type KeyName, key, REGISTRY_TAG, shardTag } from '../redis/names.ts';
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

/** An entry that no sealer wrote, or one beside a seal of its number. */
export type StrayEntry = { id: string; seal: null };

/** A checkpoint that no sealer wrote is told apart from none. */
export type FoundCheckpoint = { kind: 'none' } | { kind: 'unreadable' } | { kind: 'found'; checkpoint: Checkpoint };

export type AuditStore = ReturnType<typeof createAuditStore>;

export const createAuditStore = ({ redis, run, shards }: { redis: Redis; run: RunCommand; shards: number }) => {
  const chainOf = (tag: string): Chain => tag.slice(1, -1);
  const tags = [...Array.from({ length: shards }, (_, shard) => shardTag(shard)), REGISTRY_TAG];
  const tagOf = (chain: Chain): string => `{${chain}}`;
  const at = (chain: Chain, name: KeyName): string => key(tagOf(chain), name);
  const readRows = (chain: Chain, from: string, to: string, most: number): Promise<Entry[]> =>
    answerOf(redis.xrange(at(chain, 'AUDIT'), from, to, 'COUNT', most));

  return {
    chains: tags.map(chainOf),

    /** Log-ins of an operator that failed: from where, and how many in this minute. */
    noteLogin: async (network: string, count: number): Promise<void> => {
      await run(noteLogin, REGISTRY_TAG, { network, count });
    },

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
      const [role, nowMs, number, last, mac, entries] = await run(sealAudit, tagOf(chain), {
        worker,
        leaseMs: LEASE_MS,
        maxRows: ROWS_A_SEAL,
        seal: [...(seal ? [seal.number, seal.last, seal.rows, seal.sealedMs, seal.pepper, seal.mac] : [])],
      });
      return role === 'leader' ? { nowMs, newest: { number, last, mac } satisfies Link, entries } : null;
    },

    /** Where the chain begins. */
    checkpoint: async (chain: Chain): Promise<FoundCheckpoint> => {
      const fields = await answerOf(redis.hgetall(at(chain, 'AUDIT_CHECKPOINT')));
      if (Object.keys(fields).length === 0) return { kind: 'none' };
      const { number = '', last = '', mac, pepper, check } = fields;
      const isWhole =
        isNumber(number) && isStreamId(last) && mac !== undefined && pepper !== undefined && check !== undefined;
      return isWhole
        ? { kind: 'found', checkpoint: { number: Number(number), last, mac, pepper, check } }
        : { kind: 'unreadable' };
    },

    /** Makes the checkpoint the chain's beginning in the place of `before`, and forgets what it stands for. Safe to call twice. */
    trim: async (chain: Chain, before: Checkpoint | null, { number, last, mac, pepper, check }: Checkpoint) => {
      await run(trimAudit, tagOf(chain), {
        before: before?.number ?? BEGINNING.number,
        number,
        last,
        mac,
        pepper,
        check,
        keepFrom: streamIdAfter(last) ?? last,
      });
    },

    /** The next seals after `before`, a few, each with the rows up to its last one; up to the first entry that is none. Empty at the end of the chain. */
    sealed: async (chain: Chain, before: Link): Promise<(SealedRows | StrayEntry)[]> => {
      const replies = await answerOf(
        redis.xrange(at(chain, 'AUDIT_SEALS'), `${before.number}-1`, '+', 'COUNT', SEALS_A_READ),
      );
      const read = replies.map(([id, fields]) => ({ id, seal: parseSeal(id, fields) }));
      const unreadable = read.findIndex(({ seal }) => seal === null);
      const page = unreadable < 0 ? read : read.slice(0, unreadable + 1);
      const seals = page.flatMap(({ seal }) => seal ?? []);
      const newest = seals.at(-1);
      // One more than there may be, so that one too many shows.
      const most = seals.reduce((sum, { rows }) => sum + rows, 1);
      const entries = newest ? await readRows(chain, `(${before.last}`, newest.last, most) : [];
      let from = 0;
      return page.map(({ id, seal }) => {
        if (seal === null) return { id, seal };
        const next = entries.findIndex(([row], index) => index >= from && compareStreamIds(row, seal.last) > 0);
        const part = entries.slice(from, next < 0 ? undefined : next);
        from += part.length;
        return { seal, entries: part };
      });
    },

    /** The seal of a number, or the newest one; null if there is none that a sealer wrote. */
    link: async (chain: Chain, which: number | 'newest'): Promise<Link | null> => {
      const [from, to] = which === 'newest' ? ['-', '+'] : [`${which}-0`, `${which}-0`];
      const [entry] = await answerOf(redis.xrevrange(at(chain, 'AUDIT_SEALS'), to, from, 'COUNT', 1));
      return entry ? parseSeal(...entry) : null;
    },

    /** The first row and the first seal that stand before the chain's beginning, where none may; null for each that does not. */
    before: async (chain: Chain, { number, last }: Link): Promise<{ row: string | null; seal: string | null }> => {
      const [rows, seals] = await Promise.all([
        readRows(chain, '-', last, 1),
        answerOf(redis.xrange(at(chain, 'AUDIT_SEALS'), '-', `${number}-0`, 'COUNT', 1)),
      ]);
      return { row: rows[0]?.[0] ?? null, seal: seals[0]?.[0] ?? null };
    },

    /** The rows after the newest seal: how many, the first of them, and the first that no script of ours wrote; and what time it is at Redis. */
    unsealed: async (chain: Chain, { last }: Link) => {
      const [seconds = 0] = await answerOf(redis.time());
      let [rows, from] = [0, last];
      let first: string | null = null;
      let foreign: string | null = null;
      for (;;) {
        const entries = await readRows(chain, `(${from}`, '+', ROWS_A_COUNT);
        const newest = entries.at(-1);
        if (!newest) return { rows, first, foreign, nowMs: Number(seconds) * 1_000 };
        first ??= entries[0]?.[0] ?? null;
        foreign ??= entries.find(([, fields]) => !isRow(fields))?.[0] ?? null;
        rows += entries.length;
        from = newest[0];
      }
    },
  };
};

const newestFirst = (one: AuditPlace, other: AuditPlace): number =>
  compareStreamIds(other.id, one.id) || (one.chain < other.chain ? -1 : Number(one.chain > other.chain));

const isNumber = (text: string): boolean => /^\d{1,15}$/.test(text);

const SEAL_FIELDS = ['last', 'rows', 'sealed', 'pepper', 'mac'] as const;
/** More than any release sealed at once: what is read for a forged number is bounded. */
const MAX_ROWS = 1_024;

/** Null for an entry that no sealer wrote. */
const parseSeal = (id: string, fields: readonly string[]): Seal | null => {
  const [, number] = /^(\d{1,15})-0$/.exec(id) ?? [];
  const isNamed = fields.length === 2 * SEAL_FIELDS.length && SEAL_FIELDS.every((name, at) => fields[2 * at] === name);
  if (number === undefined || !isNamed) return null;
  const [, last = '', , rows = '', , sealed = '', , pepper = '', , mac = ''] = fields;
  if (!isStreamId(last) || !isNumber(rows) || !isNumber(sealed) || Number(rows) > MAX_ROWS) return null;
  return { number: Number(number), last, rows: Number(rows), sealedMs: Number(sealed), pepper, mac };
};
