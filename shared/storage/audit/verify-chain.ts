/** Reads a chain of the audit log from its beginning and checks every seal. */

import { isRow } from '../../domain/audit/audit-row.ts';
import { isoTimeOf, timeOf } from '../../domain/audit/stream-id.ts';
import { type AuditSeals, BEGINNING, type Link, type Seal, type SealFlaw } from '../../keys/signing/audit-seals.ts';
import type { AuditStore, Chain, FoundCheckpoint, SealedRows, StrayEntry } from './audit-store.ts';

/** A worker seals every second: who rewrote the log could only have it sealed anew, and later. Clocks differ by less. */
const LATE_MS = 60_000;

/** A seal that somebody noted elsewhere: `<chain>:<number>:<MAC>`. */
export type Anchor = { chain: Chain; number: number; mac: string };

/**
 * What is wrong with a chain. The first line disproves it, and reading ends there. The second leaves the proof whole and says
 * that somebody may have gone around it.
 */
export type ChainFlawKind =
  | (SealFlaw | 'garbage' | 'duplicate' | 'stray' | 'checkpoint' | 'anchor' | 'unreadable')
  | ('late' | 'future' | 'order' | 'foreign' | 'unsealed');

export type ChainFlaw = {
  kind: ChainFlawKind;
  /** The seal and the row that it was found at; null if it is at neither. */
  seal: number | null;
  row: string | null;
  text: string;
};

export type ChainReport = {
  chain: Chain;
  holds: boolean;
  /** The first of each kind. */
  flaws: ChainFlaw[];
  /** What the first of them says; null if the chain holds. The counts are of what was checked until then. */
  broken: string | null;
  verified_rows: number;
  /** When the oldest verified row was written. */
  since: string | null;
  /** Rows that were sealed more than a minute after they were written, and that no anchor vouches for. */
  sealed_late: number;
  /** Rows that no seal covers yet, and when the first of them was written. */
  unsealed_rows: number;
  unsealed_since: string | null;
  /** The newest seal, to note elsewhere; null if nothing was ever sealed. */
  anchor: string | null;
};

type Needs = { audit: AuditStore; seals: AuditSeals };

type Judged = (SealedRows & { flaw: SealFlaw | null }) | (StrayEntry & { flaw: 'garbage' | 'duplicate' });

/** What stands behind a link, seal by seal. It ends with the chain or after the first flaw. */
export async function* walkChain({ audit, seals }: Needs, chain: Chain, from: Link): AsyncGenerator<Judged> {
  let before = from;
  for (;;) {
    const page = await audit.sealed(chain, before);
    if (page.length === 0) return;
    for (const found of page) {
      if (found.seal === null) {
        yield { ...found, flaw: /^\d+-0$/.test(found.id) ? 'garbage' : 'duplicate' };
        return;
      }
      const flaw = seals.flawOf(chain, before, found.seal, found.entries);
      yield { ...found, flaw };
      if (flaw) return;
      before = found.seal;
    }
  }
}

export const anchorText = (chain: Chain, { number, mac }: Pick<Link, 'number' | 'mac'>): string =>
  `${chain}:${number}:${mac}`;

/** Null for a text that is none. */
export const parseAnchor = (text: string): Anchor | null => {
  const [, chain, number, mac] = /^([a-z0-9]+):(\d{1,15}):([\w-]{43})$/.exec(text) ?? [];
  return chain && number && mac ? { chain, number: Number(number), mac } : null;
};

/** While the gateway runs, rows and seals come and go; the report is true of some moment of the call. */
export const verifyChain = async (needs: Needs, chain: Chain, anchors: readonly Anchor[]): Promise<ChainReport> => {
  for (;;) {
    const report = startReport(chain, anchors);
    const checkpoint = await readCheckpoint(needs, chain, report);
    await verifyFrom(needs, report, checkpoint).catch((error: unknown) => report.refuse(error));
    // What was forgotten meanwhile looks like a gap.
    const now = await readCheckpoint(needs, chain, startReport(chain, []));
    if (report.flaws.length === 0 || now?.number === checkpoint?.number) return report.finish();
  }
};

type Report = ReturnType<typeof startReport>;

const startReport = (chain: Chain, anchors: readonly Anchor[]) => {
  const flaws: ChainFlaw[] = [];
  const facts = { rows: 0, late: 0, sinceMs: null as number | null, unsealed: 0, unsealedMs: null as number | null };
  let newest: Link = BEGINNING;
  const find = (kind: ChainFlawKind, at: { seal?: number; row?: string }, text: string): void => {
    if (flaws.some((flaw) => flaw.kind === kind)) return;
    const row = at.row === undefined ? null : `${chain}:${at.row}`;
    flaws.push({ kind, seal: at.seal ?? null, row, text });
  };
  const iso = (ms: number | null): string | null => (ms === null ? null : isoTimeOf(ms));
  return {
    chain,
    anchors,
    flaws,
    facts,
    find,
    /** A key that holds something else than its kind of data; any other error is thrown on. */
    refuse: (error: unknown): null => {
      if (!(error instanceof Error) || !error.message.includes('WRONGTYPE')) throw error;
      find('unreadable', {}, 'one of the keys of the chain holds something else than rows, seals or a checkpoint');
      return null;
    },
    reach: (link: Link): void => {
      newest = link;
    },
    newest: () => newest,
    finish: (): ChainReport => ({
      chain,
      holds: flaws.length === 0,
      flaws,
      broken: flaws[0]?.text ?? null,
      verified_rows: facts.rows,
      since: iso(facts.sinceMs),
      sealed_late: facts.late,
      unsealed_rows: facts.unsealed,
      unsealed_since: iso(facts.unsealedMs),
      anchor: newest.number === 0 ? null : anchorText(chain, newest),
    }),
  };
};

const readCheckpoint = async ({ audit, seals }: Needs, chain: Chain, report: Report): Promise<Link | null> => {
  const found: FoundCheckpoint | null = await audit.checkpoint(chain).catch((error: unknown) => report.refuse(error));
  if (found === null || found.kind === 'none') return null;
  if (found.kind === 'found' && seals.flawOfCheckpoint(chain, found.checkpoint) === null) return found.checkpoint;
  report.find('checkpoint', {}, 'the checkpoint, where the chain begins, is not ours or was changed');
  return found.kind === 'found' ? found.checkpoint : null;
};

const verifyFrom = async (needs: Needs, report: Report, checkpoint: Link | null): Promise<void> => {
  const { chain, anchors, flaws, find } = report;
  const expected = new Map(anchors.map(({ number, mac }) => [number, mac]));
  const holds = ({ number, mac }: Link): boolean => (expected.get(number) ?? mac) === mac;
  const notAnchored = ({ number }: Link): void =>
    find('anchor', { seal: number }, `seal ${number} is not the one of the anchor`);

  const beginning = checkpoint ?? BEGINNING;
  report.reach(beginning);
  const before = await needs.audit.before(chain, beginning);
  const stands = 'stands before the beginning of the chain';
  if (before.row !== null) find('stray', { row: before.row }, `row ${chain}:${before.row} ${stands}`);
  if (before.seal !== null) find('stray', {}, `seal ${before.seal} ${stands}`);
  if (!holds(beginning)) notAnchored(beginning);
  if (flaws.length > 0) return;

  const vouched = Math.max(0, ...anchors.map(({ number }) => number));
  let sealedMs = 0;
  for await (const found of walkChain(needs, chain, beginning)) {
    const previous = report.newest();
    if (found.seal === null) return explainEntry(report, previous, found);
    const { seal, entries, flaw } = found;
    if (flaw !== null) return explainSeal(report, flaw, previous, seal);
    if (!holds(seal)) return notAnchored(seal);
    judgeTimes(report, seal, entries, { afterMs: sealedMs, isVouched: seal.number <= vouched });
    report.facts.sinceMs ??= timeOf(entries[0]?.[0] ?? seal.last);
    report.facts.rows += entries.length;
    report.reach(seal);
    sealedMs = seal.sealedMs;
  }

  const { number } = report.newest();
  const beyond = anchors.find((anchor) => anchor.number > number);
  if (beyond) {
    const text = `the chain ends at seal ${number}, before seal ${beyond.number} of the anchor`;
    return find('anchor', { seal: beyond.number }, text);
  }
  await judgeUnsealed(needs, report);
};

type SealTimes = { afterMs: number; isVouched: boolean };

/** A seal vouches for its rows since it was made, not before. `isVouched`: an anchor shows that it is as it was when that was noted. */
const judgeTimes = (
  { chain, facts, find }: Report,
  { number, sealedMs }: Seal,
  entries: SealedRows['entries'],
  { afterMs, isVouched }: SealTimes,
): void => {
  const late = isVouched ? [] : entries.map(([id]) => id).filter((id) => timeOf(id) + LATE_MS < sealedMs);
  facts.late += late.length;
  const [first] = late;
  if (first !== undefined) {
    const minutes = Math.round((sealedMs - timeOf(first)) / 60_000);
    const text = `row ${chain}:${first} was sealed by seal ${number} ${minutes} minutes after it was written: until then it could be changed`;
    find('late', { seal: number, row: first }, text);
  }
  const future = entries.find(([id]) => timeOf(id) > sealedMs + LATE_MS)?.[0];
  if (future !== undefined) {
    const text = `row ${chain}:${future} says that it was written after seal ${number} was made over it`;
    find('future', { seal: number, row: future }, text);
  }
  if (sealedMs + LATE_MS < afterMs) {
    find('order', { seal: number }, `seal ${number} says that it was made before the seal that it stands on`);
  }
  const foreign = entries.find(([, fields]) => !isRow(fields))?.[0];
  if (foreign !== undefined) foreignRow({ chain, find }, foreign);
};

const foreignRow = ({ chain, find }: Pick<Report, 'chain' | 'find'>, row: string): void =>
  find('foreign', { row }, `row ${chain}:${row} was not written by the gateway`);

const judgeUnsealed = async ({ audit }: Needs, report: Report): Promise<void> => {
  const { rows, first, foreign, nowMs } = await audit.unsealed(report.chain, report.newest());
  report.facts.unsealed = rows;
  if (foreign !== null) foreignRow(report, foreign);
  if (first === null) return;
  const [writtenMs, place] = [timeOf(first), `row ${report.chain}:${first}`];
  report.facts.unsealedMs = writtenMs;
  if (writtenMs + LATE_MS < nowMs) {
    const text = `${place} is not sealed a minute after it was written: no worker seals, or its seal was removed`;
    report.find('unsealed', { row: first }, text);
  }
  if (writtenMs > nowMs + LATE_MS) report.find('future', { row: first }, `${place} says that it will be written`);
};

const explainEntry = ({ chain, find }: Report, before: Link, { id, flaw }: Extract<Judged, { seal: null }>): void => {
  const where = `after row ${chain}:${before.last}`;
  const text = {
    duplicate: `seal ${id} stands beside the one of its number ${where}`,
    garbage: `what stands as seal ${id} is none ${where}`,
  } satisfies Record<typeof flaw, string>;
  find(flaw, { seal: Number.parseInt(id, 10) }, text[flaw]);
};

const explainSeal = (
  { chain, find }: Report,
  flaw: SealFlaw,
  before: Link,
  { number, last, rows, pepper }: Seal,
): void => {
  const where = `after row ${chain}:${before.last}, up to row ${chain}:${last}`;
  const text = {
    missing: `seal ${before.number + 1} is missing ${where}`,
    rows: `rows were added or removed ${where}: seal ${number} covers ${rows}`,
    changed: `a row or seal ${number} was changed or moved ${where}`,
    unknown_pepper: `seal ${number} was made under pepper ${pepper}, which is not in KEY_PEPPERS: nothing can be said ${where}`,
  } satisfies Record<SealFlaw, string>;
  find(flaw, { seal: flaw === 'missing' ? before.number + 1 : number, row: last }, text[flaw]);
};
