/** A batch as the scripts answer it. */
import type { BatchView } from '../../domain/batches/batch.ts';
import type { BatchId } from '../../domain/ids.ts';
import { COUNTERS, type UsageSums } from '../../domain/records/usage-counters.ts';
import type { BatchReply } from '../commands/batches/commands.ts';
import { fieldsOf } from '../records/fields.ts';
import { showBatchLedger } from '../usage/usage-store.ts';

/** Null where the tenant has no such batch. */
export const parseBatchView = ([flat, ledger = []]: BatchReply): BatchView | null => {
  if (!flat) return null;
  const record = fieldsOf(flat);
  // A cast because Object.fromEntries forgets the names.
  const usage = Object.fromEntries(COUNTERS.map((counter) => [counter, 0])) as UsageSums;
  showBatchLedger(ledger, (_day, _name, counts) => {
    for (const [index, counter] of COUNTERS.entries()) usage[counter] += counts[index] ?? 0;
  });
  // A cast because `begin` was given the id and wrote nothing else.
  return { id: record.id as BatchId, record, usage };
};
