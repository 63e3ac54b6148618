/** One attempt of a job or a delivery, from hand-off to settlement: claim → work → decide → settle. Whatever happens ends in a recorded state. */
import type { TenantId } from '../../shared/domain/ids.ts';
import { describeError, type Log } from '../../shared/domain/log.ts';
import type { Handoff, Queues } from '../../shared/storage/queue/queues.ts';
import { settleInTheEnd } from './settle-in-the-end.ts';

type LogFields = NonNullable<Parameters<Log['info']>[1]>;

/** What is attempted: the part of a pipeline in which jobs and deliveries differ. */
export type Kind<Id, Claim extends { tenant: TenantId; attempt: number }, Attempt, Became> = {
  /** Null for what is no hand-off of this kind. */
  parse: (handoff: Handoff) => { id: Id; number: string } | null;
  /** False while this worker stops. */
  mayStart: () => boolean;
  /** Opens an attempt; `claim` is null where there is none to make. `mark` names this try: sent again, it gets the same attempt. */
  claim: (
    shard: number,
    claiming: { id: Id; handoff: string; mark: string },
  ) => Promise<{ claim: Claim | null; handoffs: readonly Handoff[] }>;
  /** Works, and decides what becomes of it. `lost` aborts when the worker may no longer hold the hand-off. */
  attempt: (id: Id, claim: Claim, lost: AbortSignal) => Promise<Attempt>;
  /** What an attempt comes to that broke by a mistake of ours. */
  broken: (claim: Claim) => Attempt;
  /** Ends an attempt. Safe to call twice. */
  settle: (
    shard: number,
    settlement: Attempt & { id: Id; attempt: number; mark: string },
    claim: Claim,
  ) => Promise<{ became: Became; handoffs: readonly Handoff[] }>;
  /** What is settled in the place of an attempt that Redis refuses as wrong: an end that shows, with nothing to be added up. */
  instead: (attempt: Attempt) => Attempt;
  settled: (claim: Claim, attempt: Attempt, became: Became) => void;
  log: {
    broke: string;
    settled: string;
    id: (id: Id) => LogFields;
    /** Of a settled attempt, beside what every kind has. */
    of: (claim: Claim, attempt: Attempt) => LogFields & { outcome: string };
  };
};

/** Runs one hand-off of a shard. `lost` aborts when the worker may no longer hold it. Never rejects but where `claim` does. */
export type Run = (shard: number, handoff: Handoff, lost: AbortSignal) => Promise<void>;

export const createPipeline = <Id, Claim extends { tenant: TenantId; attempt: number }, Attempt, Became extends string>(
  kind: Kind<Id, Claim, Attempt, Became>,
  { queues, newMark, log }: { queues: Pick<Queues, 'handOff'>; newMark: () => string; log: Log },
): Run => {
  type Settlement = Parameters<typeof kind.settle>[1];
  return async (shard, handoff, lost) => {
    const parsed = kind.parse(handoff);
    if (!parsed) return log.error('hand_off_malformed');
    const { id, number } = parsed;
    // A hand-off that is dropped here stays in its set, and upkeep gives it to another worker.
    if (!kind.mayStart()) return;
    const mark = newMark();
    const { claim, handoffs } = await kind.claim(shard, { id, handoff: number, mark });
    if (claim === null) return queues.handOff(shard, handoffs);

    const startedMs = performance.now();
    const attempt = await kind.attempt(id, claim, lost).catch((error: unknown) => {
      log.error(kind.log.broke, { ...kind.log.id(id), ...describeError(error) });
      return kind.broken(claim);
    });
    const settlement = (of: Attempt): Settlement => ({ ...of, id, attempt: claim.attempt, mark });
    const { became, handoffs: next } = await settleInTheEnd(
      (offered: Settlement) => kind.settle(shard, offered, claim),
      {
        settlement: settlement(attempt),
        instead: settlement(kind.instead(attempt)),
        log,
        about: { ...kind.log.id(id), shard },
      },
    );
    queues.handOff(shard, next);
    kind.settled(claim, attempt, became);
    log.info(kind.log.settled, {
      ...kind.log.id(id),
      tenant: claim.tenant,
      attempt: claim.attempt,
      ...kind.log.of(claim, attempt),
      became,
      duration_ms: Math.round(performance.now() - startedMs),
    });
  };
};
