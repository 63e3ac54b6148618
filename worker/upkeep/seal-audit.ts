/** Once a second, by the worker that holds a chain's lease: seals the audit log's new rows. Once a minute: forgets the oldest, and notes the chain's end in this process's own log. */
import { type AuditSeals, BEGINNING, type Link } from '../../shared/audit/audit-seals.ts';
import { walkChain } from '../../shared/audit/verify-chain.ts';
import { describeError, type Log } from '../../shared/log.ts';
import { type AuditStore, type Chain, timeOf } from '../../shared/stores/audit-store.ts';
import { every, type Repeating, together } from './every.ts';

const SEAL_MS = 1_000;
const TRIM_MS = 60_000;
/** Seals that one turn makes before it looks for its lease again. */
const SEALS_A_TURN = 128;
/** Seals that one call forgets, with at most 64 rows each. */
const SEALS_A_TRIM = 16;

type Needs = { audit: AuditStore; seals: AuditSeals; worker: string; retentionMs: number; log: Log };

export const sealAudit = (needs: Needs): Repeating => {
  const turns = needs.audit.chains.map((chain) => ({ chain, newest: BEGINNING, noted: BEGINNING.number, trimAtMs: 0 }));
  const { log } = needs;

  const tend = async (turn: (typeof turns)[number]): Promise<void> => {
    const sealed = await sealRows(needs, turn.chain, turn.newest);
    if (sealed === null) return;
    turn.newest = sealed.newest;
    if (sealed.nowMs < turn.trimAtMs) return;
    turn.trimAtMs = sealed.nowMs + TRIM_MS;
    await forgetRows(needs, turn.chain, sealed.nowMs - needs.retentionMs);
    const { number, mac } = sealed.newest;
    // Whoever rewrites Redis cannot rewrite where this log went.
    if (number !== turn.noted) log.info('audit_sealed', { chain: turn.chain, seal: number, mac });
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

/** Null where another worker holds the lease. `known`: the newest seal that this one saw before. */
const sealRows = async ({ audit, seals, worker, log }: Needs, chain: Chain, known: Link) => {
  let answer = await audit.seal(chain, worker, null);
  if (answer === null) return null;
  const { number, mac } = answer.newest;
  if (number < known.number || (number === known.number && mac !== known.mac)) {
    // Redis lost writes, or somebody put an older log in the place of ours.
    log.error('audit_went_back', { chain, seal: known.number, mac: known.mac });
  }
  for (let count = 0; count < SEALS_A_TURN && answer.entries.length > 0; count++) {
    const seal = seals.seal(chain, answer.newest, answer.entries, answer.nowMs);
    const next = await audit.seal(chain, worker, seal);
    if (next === null) return null;
    answer = next;
  }
  return answer;
};

/** Nothing that does not verify is forgotten: otherwise a forged age would make this worker sign what it never saw. */
const forgetRows = async (needs: Needs, chain: Chain, untilMs: number): Promise<void> => {
  const { audit, seals, log } = needs;
  let checkpoint = await audit.checkpoint(chain);
  if (checkpoint && seals.flawOfCheckpoint(chain, checkpoint)) {
    return log.error('audit_broken', { chain, seal: checkpoint.number });
  }
  const trim = async (until: Link): Promise<void> => {
    const next = seals.checkpoint(chain, until);
    await audit.trim(chain, checkpoint, next);
    checkpoint = next;
  };
  let [until, count]: [Link, number] = [checkpoint ?? BEGINNING, 0];
  for await (const { seal, flaw } of walkChain(needs, chain, until)) {
    if (flaw) {
      log.error('audit_broken', { chain, seal: seal.number, code: flaw });
      break;
    }
    if (timeOf(seal.last) > untilMs) break;
    until = seal;
    count += 1;
    if (count % SEALS_A_TRIM === 0) await trim(until);
  }
  if (until.number !== (checkpoint ?? BEGINNING).number || (checkpoint && seals.isOutdated(checkpoint))) {
    await trim(until);
  }
};
