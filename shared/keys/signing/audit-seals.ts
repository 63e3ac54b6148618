/**
 * What makes the audit log tamper-evident: a chain of seals, one chain for each shard and one for the registry. A seal is an HMAC over the seal before it and the rows since, under a key
 * that is derived from a pepper and never in Redis. Rows that are forgotten leave a checkpoint behind, which says under the same key where the chain goes on.
 */
import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import { deriveKey } from '../derive-key.ts';
import type { Peppers } from '../encryption/keyring.ts';

/** A row as it lies in its stream: the id, then every field and value. */
export type Entry = readonly [id: string, fields: readonly string[]];

/** What the next seal stands on. */
export type Link = {
  /** Seals are numbered from 1. */
  number: number;
  /** The id of the last row that is sealed. */
  last: string;
  mac: string;
};

export type Seal = Link & {
  rows: number;
  /** Unix milliseconds. */
  sealedMs: number;
  /** The id of the pepper that the key was derived from. */
  pepper: string;
};

/** Where a chain begins whose older part is forgotten. */
export type Checkpoint = Link & { pepper: string; check: string };

/** Where a chain begins that is whole. */
export const BEGINNING: Link = { number: 0, last: '0-0', mac: '' };

/** What is wrong with a seal: one before it is gone, its rows are not as many as it says, it or they were changed, or its pepper is not in the list. */
export type SealFlaw = 'missing' | 'rows' | 'changed' | 'unknown_pepper';

export type AuditSeals = ReturnType<typeof createAuditSeals>;

export const createAuditSeals = ({ keys }: Peppers) => {
  const macKeys = new Map(keys.map(({ id, key }) => [id, deriveKey(key, 'llm-gateway/audit/v1')]));
  const [active] = keys;

  const macOf = (key: KeyObject, content: readonly unknown[]): string =>
    // JSON, so that no two contents give the same bytes.
    createHmac('sha256', key).update(JSON.stringify(content)).digest('base64url');
  const sealed = (chain: string, { mac }: Link, seal: Omit<Seal, 'mac'>, entries: readonly Entry[]) =>
    ['seal', chain, mac, seal.number, seal.last, seal.rows, seal.sealedMs, seal.pepper, entries] as const;
  const checked = (chain: string, { number, last, mac }: Link, pepper: string) =>
    ['checkpoint', chain, number, last, mac, pepper] as const;
  /** Under the active pepper. */
  const sign = (content: readonly unknown[]): string => {
    const key = macKeys.get(active.id);
    if (!key) throw new Error('the active pepper has no key');
    return macOf(key, content);
  };
  const judge = (pepper: string, mac: string, content: readonly unknown[]): 'changed' | 'unknown_pepper' | null => {
    const key = macKeys.get(pepper);
    if (!key) return 'unknown_pepper';
    const [wanted, found] = [Buffer.from(macOf(key, content)), Buffer.from(mac)];
    return wanted.length === found.length && timingSafeEqual(wanted, found) ? null : 'changed';
  };

  return {
    /** The seal of the rows that follow on `before`; there is at least one. */
    seal: (chain: string, before: Link, entries: readonly Entry[], nowMs: number): Seal => {
      const seal = {
        number: before.number + 1,
        last: entries.at(-1)?.[0] ?? before.last,
        rows: entries.length,
        sealedMs: nowMs,
        pepper: active.id,
      };
      return { ...seal, mac: sign(sealed(chain, before, seal, entries)) };
    },

    /** Null if the seal holds these rows and nothing else, on top of `before`. */
    flawOf: (chain: string, before: Link, seal: Seal, entries: readonly Entry[]): SealFlaw | null => {
      if (seal.number !== before.number + 1) return 'missing';
      if (entries.length !== seal.rows) return 'rows';
      return judge(seal.pepper, seal.mac, sealed(chain, before, seal, entries));
    },

    checkpoint: (chain: string, { number, last, mac }: Link): Checkpoint => ({
      number,
      last,
      mac,
      pepper: active.id,
      check: sign(checked(chain, { number, last, mac }, active.id)),
    }),

    flawOfCheckpoint: (chain: string, checkpoint: Checkpoint): SealFlaw | null =>
      judge(checkpoint.pepper, checkpoint.check, checked(chain, checkpoint, checkpoint.pepper)),

    /** Whether it would be signed otherwise today. */
    isOutdated: ({ pepper }: Checkpoint): boolean => pepper !== active.id,
  };
};
