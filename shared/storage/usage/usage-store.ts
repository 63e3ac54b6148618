/** The ledger: what each tenant used, by day, provider, model and credential. Written only by the scripts that settle jobs. */
import type { CredentialKind, Provider } from '../../domain/completion.ts';
import { type BatchId, stemOf, type TenantId } from '../../domain/ids.ts';
import { COUNTERS } from '../../domain/usage.ts';
import { viewBatches } from '../commands/batches/commands.ts';
import type { RunCommand } from '../commands/command.ts';
import { readUsage } from '../commands/usage/commands.ts';
import { fieldsOf } from '../records/fields.ts';
import { tenantTag } from '../redis/shards.ts';

/** One number for each of COUNTERS. */
export type Counts = Float64Array;

/** What a row of a day stands for; the same object wherever it is the same. */
export type UsageName = { provider: Provider; model: string; credential: CredentialKind };

/** Gets a row at a time, because a year may have a hundred thousand of them; `counts` holds it until the next one. */
export type SeeUsage = (day: string, name: UsageName, counts: Counts) => void;

export type BatchLedger = {
  /** Unix milliseconds; nothing was used before. */
  acceptedMs: number;
  show: (see: SeeUsage) => void;
};

export type UsageStore = ReturnType<typeof createUsageStore>;

/** At most some thousand rows, so that one call never blocks Redis for more than a few milliseconds. */
const DAYS_A_CALL = 8;

export const createUsageStore = ({ run, shards }: { run: RunCommand; shards: number }) => ({
  /** Shows `see` the rows of the given UTC days (`YYYY-MM-DD`), day by day. */
  read: async (tenant: TenantId, days: readonly string[], see: SeeUsage): Promise<void> => {
    const parts: Promise<unknown>[] = [];
    for (let from = 0; from < days.length; from += DAYS_A_CALL) {
      parts.push(
        run(readUsage, tenantTag(tenant, shards), { tenant, days: [...days.slice(from, from + DAYS_A_CALL)] }),
      );
    }
    // The cast: the form of the answer is that in the script's header.
    const texts = (await Promise.all(parts)).flat() as string[];
    const showDay = createReader(see);
    for (const [index, text] of texts.entries()) showDay(days[index] ?? '', text);
  },

  /** A batch's own ledger; null where the tenant has no such batch, or none that is still stored. */
  ofBatch: async (tenant: TenantId, id: BatchId): Promise<BatchLedger | null> => {
    // The cast: as above.
    const [[record, ledger] = []] = await run(viewBatches, tenantTag(tenant, shards), {
      tenant,
      watcher: '',
      stems: [stemOf(id)],
    });
    if (!record || !ledger) return null;
    return { acceptedMs: Number(fieldsOf(record).published), show: (see) => showBatchLedger(ledger, see) };
  },
});

const createReader = (see: SeeUsage) => {
  const names = new Map<string, UsageName>();
  const counts: Counts = new Float64Array(COUNTERS.length);
  const nameOf = (text: string): UsageName => {
    const known = names.get(text);
    if (known) return known;
    const [provider, model = '', credential] = text.split('|');
    // Casts because `submit` was given these and wrote nothing else.
    const name = { provider: provider as Provider, model, credential: credential as CredentialKind };
    names.set(text, name);
    return name;
  };
  return (day: string, text: string): void => {
    const lines = text === '' ? [] : text.split('\n');
    for (let index = 0; index < lines.length; index += 2) {
      readCounts(lines[index + 1] ?? '', counts);
      see(day, nameOf(lines[index] ?? ''), counts);
    }
  };
};

/** Shows `see` the rows of a batch's ledger, as Redis answers it: the day and the row's name, its counts, and so on. */
export const showBatchLedger = (flat: readonly string[], see: SeeUsage): void => {
  const showDay = createReader(see);
  for (let index = 0; index < flat.length; index += 2) {
    const name = flat[index] ?? '';
    showDay(name.slice(0, DAY_CHARACTERS), `${name.slice(DAY_CHARACTERS + 1)}\n${flat[index + 1] ?? ''}`);
  }
};
const DAY_CHARACTERS = 'YYYY-MM-DD'.length;

/** Digit by digit: `split` and `Number` take several times as long. */
const readCounts = (text: string, counts: Counts): void => {
  let count = 0;
  let place = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === SPACE) {
      counts[place++] = count;
      count = 0;
    } else {
      count = count * 10 + (code - ZERO);
    }
  }
  counts[place] = count;
};
const SPACE = 0x20;
const ZERO = 0x30;
