/**
 * Once a second, by the worker that holds a chain's lease: seals the audit log's new rows. Once a minute: forgets the oldest,
 * and notes the chain's end in this process's own log. The operator's file has it at once.
 *
 * A sealer that knew nothing but Redis would sign whatever history stands there. So a worker remembers the newest seal that it
 * saw of each chain, also while another one seals, and seals nothing on a chain that no longer holds it. Only a restart without
 * that file, or without its line, makes it forget: nobody can bring that about by writing to Redis.
 */

import { describeError, type Log } from '../../shared/domain/log.ts';
import { type AuditSeals, BEGINNING, type Checkpoint, type Link } from '../../shared/keys/signing/audit-seals.ts';
import { every, type Repeating, together } from '../../shared/process/every.ts';
import type { AuditAnchors } from '../../shared/storage/audit/audit-anchors.ts';
import type { AuditStore, Chain } from '../../shared/storage/audit/audit-store.ts';
import { walkChain } from '../../shared/storage/audit/verify-chain.ts';

const SEAL_MS = 1_000;
const NOTE_MS = 60_000;
/** Seals that one turn makes before it looks for its lease again. */
const SEALS_A_TURN = 128;
/** Seals that one call forgets, with at most 64 rows each. */
const SEALS_A_TRIM = 16;

type Mark = Pick<Link, 'number' | 'mac'>;

type Needs = {
  audit: AuditStore;
  seals: AuditSeals;
  /** Where the newest seals are kept outside Redis; null: in this process alone. */
  anchors: AuditAnchors | null;
  worker: string;
  retentionMs: number;
  log: Log;
};

type Turn = { chain: Chain; known: Mark; kept: number; noted: number; noteAtMs: number; trimAtMs: number };

export const sealAudit = (needs: Needs): Repeating => {
  const { audit, anchors, log } = needs;
  const turns: Turn[] = audit.chains.map((chain) => {
    const known = anchors?.of(chain) ?? BEGINNING;
    return { chain, known, kept: known.number, noted: BEGINNING.number, noteAtMs: 0, trimAtMs: 0 };
  });

  const complain = (turn: Turn, event: 'audit_went_back' | 'audit_broken', code?: string): void => {
    const { chain, known } = turn;
    if (performance.now() < turn.noteAtMs) return;
    turn.noteAtMs = performance.now() + NOTE_MS;
    log.error(event, { chain, seal: known.number, ...(known.mac !== '' && { mac: known.mac }), ...(code && { code }) });
  };

  const tend = async (turn: Turn): Promise<void> => {
    const { chain } = turn;
    const held = await audit.seal(chain, needs.worker, null);
    const newest = held === null ? await audit.link(chain, 'newest') : held.newest;
    if (newest === null) return;
    const doubt = await doubtOf(needs, turn, newest);
    if (doubt !== null) return complain(turn, doubt.event, doubt.code);
    turn.known = newest;
    const nowMs = held === null ? null : await sealRows(needs, turn, held);
    if (turn.known.number !== turn.kept) anchors?.note(chain, turn.known);
    turn.kept = turn.known.number;
    if (nowMs === null || nowMs < turn.trimAtMs) return;
    turn.trimAtMs = nowMs + NOTE_MS;
    await forgetRows(needs, chain, nowMs - needs.retentionMs);
    const { number, mac } = turn.known;
    // Who rewrites Redis cannot rewrite where this log went.
    if (number !== turn.noted) log.info('audit_sealed', { chain, seal: number, mac });
    turn.noted = number;
  };

  // A chain that is slow, or that somebody meddled with, must not keep the others from being sealed.
  return together(
    turns.map((turn) =>
      every(
        SEAL_MS,
        () => tend(turn),
        (error) => log.warn('audit_not_sealed', { chain: turn.chain, ...describeError(error) }),
      ),
    ),
  );
};

type Doubt = { event: 'audit_went_back' } | { event: 'audit_broken'; code: string };

/** Why nothing may be sealed on top of `newest`; null if it may. */
const doubtOf = async (
  needs: Needs,
  { chain, known }: Turn,
  newest: Link,
): Promise<(Doubt & { code?: string }) | null> => {
  if (newest.number === known.number && newest.mac === known.mac) return null;
  if (newest.number <= known.number) return { event: 'audit_went_back' };
  // Another worker sealed meanwhile, or somebody wrote. What was forgotten since is vouched for by the checkpoint.
  const checkpoint = await trustedCheckpoint(needs, chain);
  if (checkpoint === 'broken') return { event: 'audit_broken', code: 'checkpoint' };
  const begins = checkpoint ?? BEGINNING;
  if (known.number > begins.number) {
    const link = await needs.audit.link(chain, known.number);
    if (link?.mac !== known.mac) return { event: 'audit_went_back' };
  }
  if (newest.number === begins.number)
    return newest.mac === begins.mac ? null : { event: 'audit_broken', code: 'changed' };
  const before = newest.number - 1 === begins.number ? begins : await needs.audit.link(chain, newest.number - 1);
  if (before === null) return { event: 'audit_broken', code: 'missing' };
  for await (const { seal, flaw } of walkChain(needs, chain, before)) {
    if (flaw !== null) return { event: 'audit_broken', code: flaw };
    if (seal !== null && seal.number === newest.number && seal.mac === newest.mac) return null;
  }
  return { event: 'audit_broken', code: 'missing' };
};

type Held = { nowMs: number; newest: Link; entries: Parameters<AuditSeals['seal']>[2] };

/** What time it is at Redis; null if another worker seals now. */
const sealRows = async ({ audit, seals, worker }: Needs, turn: Turn, held: Held): Promise<number | null> => {
  let answer = held;
  for (let count = 0; count < SEALS_A_TURN && answer.entries.length > 0; count++) {
    const seal = seals.seal(turn.chain, answer.newest, answer.entries, answer.nowMs);
    const next = await audit.seal(turn.chain, worker, seal);
    // What another one made is looked at in the next turn.
    if (next?.newest.number !== seal.number || next.newest.mac !== seal.mac) return null;
    turn.known = seal;
    answer = next;
  }
  return answer.nowMs;
};

/** Where the chain begins; null if nothing of it is forgotten. */
const trustedCheckpoint = async ({ audit, seals }: Needs, chain: Chain): Promise<Checkpoint | 'broken' | null> => {
  const found = await audit.checkpoint(chain);
  if (found.kind === 'none') return null;
  return found.kind === 'found' && seals.flawOfCheckpoint(chain, found.checkpoint) === null
    ? found.checkpoint
    : 'broken';
};

/** Nothing that does not verify is forgotten: otherwise a forged age would make this worker sign what it never saw. */
const forgetRows = async (needs: Needs, chain: Chain, untilMs: number): Promise<void> => {
  const { audit, seals, log } = needs;
  const found = await trustedCheckpoint(needs, chain);
  if (found === 'broken') return log.error('audit_broken', { chain, code: 'checkpoint' });
  let checkpoint = found;
  const trim = async (until: Link): Promise<void> => {
    const next = seals.checkpoint(chain, until);
    await audit.trim(chain, checkpoint, next);
    checkpoint = next;
  };
  let [until, count]: [Link, number] = [checkpoint ?? BEGINNING, 0];
  for await (const { seal, flaw } of walkChain(needs, chain, until)) {
    if (flaw !== null) {
      log.error('audit_broken', { chain, seal: until.number + 1, code: flaw });
      break;
    }
    // By the time that is signed: a row can say that it is of any time.
    if (seal.sealedMs > untilMs) break;
    until = seal;
    count += 1;
    if (count % SEALS_A_TRIM === 0) await trim(until);
  }
  if (until.number !== (checkpoint ?? BEGINNING).number || (checkpoint && seals.isOutdated(checkpoint))) {
    await trim(until);
  }
};
