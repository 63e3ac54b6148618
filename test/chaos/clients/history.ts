/** What clients asked and what they were answered: all that the checks know of the gateway's inside. */
import type { Batch, ResultLine } from '../../../shared/domain/batches/schema.ts';
import type { Job } from '../../../shared/domain/jobs/schema.ts';
import type { TenantName } from '../stage/stage.ts';

export type BatchPlan = {
  number: number;
  tenant: TenantName;
  credential: 'platform' | 'openai' | 'anthropic';
  lines: number;
  /** How long after its acceptance it is cancelled; null: never. */
  cancelAfterMs: number | null;
};

export type BatchStory = { plan: BatchPlan; batch: Batch; results: ResultLine[]; endedMs: number };

/** How a job is meant to go; see `JOB_KINDS`. */
export type JobKind =
  | 'plain'
  | 'slow'
  | 'throttled'
  | 'unavailable'
  | 'reset'
  | 'garbled'
  | 'rejected'
  | 'key_rejected'
  | 'cancelled'
  | 'expiring'
  | 'twins'
  /** Held open by an SDK until it ends. */
  | 'called'
  /** Streamed. */
  | 'streamed';

export type JobPlan = {
  number: number;
  tenant: TenantName;
  credential: 'platform' | 'openai' | 'anthropic';
  kind: JobKind;
  /** How long after its acceptance it is cancelled; of kind `cancelled` only. */
  cancelAfterMs: number;
  /** Whether its end is told to the receiver. */
  webhook: boolean;
  /** Whether another tenant asks for it. */
  stranger: boolean;
  /** Whether its owner deletes it, unless a lost attempt of it may still report. */
  deleted: boolean;
};

export type JobStory = {
  plan: JobPlan;
  id: string;
  /** As it was when a client first saw it final; after the run, as it is then. */
  final: Job;
  /** When that was, by `performance.now()`. */
  endedMs: number;
  deleted: boolean;
  /** What a call that waited for it was answered, in the provider's words; null if it was told an error, or none waited. */
  heard: string | null;
  /** The answer to `cancel` said that it was final and cancelled. */
  cancelConfirmed: boolean;
};

export type History = {
  /** In the order in which they ended. */
  jobs: JobStory[];
  batches: BatchStory[];
  /** What clients saw that must never be seen. */
  violations: string[];
  /** Answers by status; 0 where there was none. */
  answers: Map<number, number>;
};

export const createHistory = (): History => ({ jobs: [], batches: [], violations: [], answers: new Map() });
