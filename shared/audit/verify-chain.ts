/** Reads a chain of the audit log from its beginning and checks every seal. */
import { type AuditStore, type Chain, type SealedRows, timeOf } from '../stores/audit-store.ts';
import { type AuditSeals, BEGINNING, type Flaw, type Link } from './audit-seals.ts';

/** Rows that were sealed later than this are reported: a worker seals every second, and who rewrote the log could only have it sealed anew. */
const LATE_MS = 60_000;

/** A seal that somebody noted elsewhere: `<chain>:<number>:<MAC>`. */
export type Anchor = { chain: Chain; number: number; mac: string };

export type ChainReport = {
  chain: Chain;
  /** What is wrong, and where; null where the chain holds. The counts are of what was checked until then. */
  broken: string | null;
  verified_rows: number;
  /** When the oldest verified row was written. */
  since: string | null;
  /** Rows that were sealed more than a minute after they were written. */
  sealed_late: number;
  /** Rows that no seal covers yet, and when the first of them was written. */
  unsealed_rows: number;
  unsealed_since: string | null;
  /** The newest seal, to note elsewhere; null where nothing was ever sealed. */
  anchor: string | null;
};

type Needs = { audit: AuditStore; seals: AuditSeals };

/** What stands behind a link, seal by seal. It ends with the chain or after the first flaw. */
export async function* walkChain(
  { audit, seals }: Needs,
  chain: Chain,
  from: Link,
): AsyncGenerator<SealedRows & { flaw: Flaw | null }> {
  let before = from;
  for (;;) {
    const page = await audit.sealed(chain, before);
    if (page.length === 0) return;
    for (const { seal, entries } of page) {
      const flaw = seals.flawOf(chain, before, seal, entries);
      yield { seal, entries, flaw };
      if (flaw) return;
      before = seal;
    }
  }
}

export const anchorText = (chain: Chain, { number, mac }: Link): string => `${chain}:${number}:${mac}`;

/** Null for a text that is none. */
export const parseAnchor = (text: string): Anchor | null => {
  const [, chain, number, mac] = /^([a-z0-9]+):(\d{1,15}):([\w-]{43})$/.exec(text) ?? [];
  return chain && number && mac ? { chain, number: Number(number), mac } : null;
};

/** While the gateway runs, rows and seals come and go; the report is true of some moment of the call. */
export const verifyChain = async (needs: Needs, chain: Chain, anchors: readonly Anchor[]): Promise<ChainReport> => {
  for (;;) {
    const checkpoint = await needs.audit.checkpoint(chain);
    const report = await verifyFrom(needs, chain, anchors, checkpoint ?? BEGINNING);
    if (checkpoint !== null && needs.seals.flawOfCheckpoint(chain, checkpoint) !== null) {
      return { ...report, broken: 'the checkpoint, where the chain begins, is not ours or was changed' };
    }
    // What was forgotten meanwhile looks like a gap.
    const now = await needs.audit.checkpoint(chain);
    if (report.broken === null || now?.number === checkpoint?.number) return report;
  }
};

const verifyFrom = async (
  needs: Needs,
  chain: Chain,
  anchors: readonly Anchor[],
  beginning: Link,
): Promise<ChainReport> => {
  const isoTime = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());
  const first = await needs.audit.rowBefore(chain, beginning);
  let broken = first === null ? null : `row ${chain}:${first} stands before the beginning of the chain`;
  let [newest, verified, late] = [beginning, 0, 0];
  let sinceMs: number | null = null;
  const expected = new Map(anchors.map(({ number, mac }) => [number, mac]));
  const holds = ({ number, mac }: Link): boolean => (expected.get(number) ?? mac) === mac;

  if (!holds(beginning)) broken ??= `seal ${beginning.number} is not the one of the anchor`;
  if (broken === null) {
    for await (const { seal, entries, flaw } of walkChain(needs, chain, beginning)) {
      if (flaw) broken = explain(flaw, chain, newest, seal);
      else if (!holds(seal)) broken = `seal ${seal.number} is not the one of the anchor`;
      if (broken !== null) break;
      sinceMs ??= timeOf(entries[0]?.[0] ?? seal.last);
      verified += entries.length;
      late += entries.filter(([id]) => timeOf(id) + LATE_MS < seal.sealedMs).length;
      newest = seal;
    }
    const beyond = anchors.find(({ number }) => number > newest.number);
    if (beyond) broken ??= `the chain ends at seal ${newest.number}, before seal ${beyond.number} of the anchor`;
  }
  const unsealed = broken === null ? await needs.audit.unsealed(chain, newest) : { rows: 0, oldestMs: null };
  return {
    chain,
    broken,
    verified_rows: verified,
    since: isoTime(sinceMs),
    sealed_late: late,
    unsealed_rows: unsealed.rows,
    unsealed_since: isoTime(unsealed.oldestMs),
    anchor: newest.number === 0 ? null : anchorText(chain, newest),
  };
};

const explain = (
  flaw: Flaw,
  chain: Chain,
  before: Link,
  { number, last, rows, pepper }: SealedRows['seal'],
): string => {
  const where = `after row ${chain}:${before.last}, up to row ${chain}:${last}`;
  switch (flaw) {
    case 'missing':
      return `seal ${before.number + 1} is missing ${where}`;
    case 'rows':
      return `rows were added or removed ${where}: seal ${number} covers ${rows}`;
    case 'changed':
      return `a row or seal ${number} was changed or moved ${where}`;
    case 'unknown_pepper':
      return `seal ${number} was made under pepper ${pepper}, which is not in KEY_PEPPERS: nothing can be said ${where}`;
  }
};
