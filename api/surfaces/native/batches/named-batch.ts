/** The batch that a call’s path names. */
import type { BatchView } from '../../../../shared/domain/batches/batch.ts';
import type { BatchId } from '../../../../shared/domain/ids.ts';
import type { BatchIds } from '../../../../shared/keys/digests/genuine-ids.ts';
import type { BatchStore } from '../../../../shared/storage/batches/batch-store.ts';
import type { ApiContext } from '../../../http/context.ts';
import { batchGone, noBatch } from '../../../intake/uploads/accept-batch.ts';

/** Throws RequestError 404 if the id is none of this tenant’s. */
export const genuineBatch = (c: ApiContext, batchIds: BatchIds): BatchId => {
  const id = c.req.param('id') ?? '';
  if (!batchIds.isGenuine(c.get('tenant'), id)) throw noBatch();
  c.get('logged').batch_id = id;
  return id;
};

/** Throws RequestError 410 if it is no longer stored. */
export const storedBatch = async (
  c: ApiContext,
  id: BatchId,
  batches: Pick<BatchStore, 'read'>,
): Promise<BatchView> => {
  const view = await batches.read(c.get('tenant'), id, { watcher: null });
  if (view === null) throw batchGone();
  return view;
};
