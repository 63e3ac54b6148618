/** A job as scripts answer it, made into what the rest of the gateway reads. */
import type { CompletionResult } from '../../domain/conversation/result.ts';
import type { ForeignAnswer } from '../../domain/formats.ts';
import type { JobId, TenantId } from '../../domain/ids.ts';
import type { JobView } from '../../domain/jobs/job.ts';
import type { WaitReason } from '../../domain/jobs/states.ts';
import type { BodyStore } from '../bodies/body-store.ts';
import { piecesOf } from '../bodies/stored-body.ts';
import type { JobReply } from '../commands/jobs/commands.ts';
import { fieldsOf } from '../records/fields.ts';

/** A job whose result is as it is stored; '' if there is none, or it was not asked for. */
export type StoredView = Omit<JobView, 'result'> & { stored: string };

/** A job as `Views.job` answers it. */
export const parseView = (id: JobId | undefined, reply: JobReply): StoredView | null => {
  const [flat, reason, position, stored = ''] = reply;
  if (!id || !flat) return null;
  return {
    id,
    record: fieldsOf(flat),
    // A cast because the scripts name no others.
    queue: reason ? { reason: reason as WaitReason, position: position ?? 1 } : null,
    stored,
  };
};

/** The same with its result, unless `bodies` is null. An answer in foreign words is no result: it is read by itself. Rejects as `BodyStore.read` does. */
export const openView = async (
  bodies: Pick<BodyStore, 'read'> | null,
  tenant: TenantId,
  view: StoredView | null,
): Promise<JobView | null> => {
  if (view === null) return null;
  const { stored, ...rest } = view;
  if (bodies === null || stored === '' || rest.record.format !== undefined) return { ...rest, result: null };
  // The cast: the workers write nothing else.
  const parse = (json: string): CompletionResult => JSON.parse(json) as CompletionResult;
  if (stored.startsWith('{')) return { ...rest, result: parse(stored) };
  const body = await bodies.read({ tenant, id: rest.id, part: 'answer', attempt: null }, stored);
  return { ...rest, result: parse(body.toString('utf8')) };
};

/** Is told how long an answer is before it is read, and may throw. */
export type HoldBytes = (bytes: number) => void;

/** What the provider answered to a job in foreign words; null if there is no such answer. Rejects as `BodyStore.read` does. */
export const openAnswer = async (
  bodies: Pick<BodyStore, 'read'>,
  tenant: TenantId,
  { id, record, stored }: StoredView,
  hold: HoldBytes,
): Promise<ForeignAnswer | null> => {
  if (stored === '' || record.format === undefined) return null;
  hold(piecesOf(stored).bytes);
  const bytes = await bodies.read({ tenant, id, part: 'answer', attempt: null }, stored);
  return { bytes, mediaType: record.media_type ?? 'application/json' };
};
