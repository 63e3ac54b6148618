/** The ledger: what each tenant used, by day, provider, model and credential. Written only by the scripts that settle jobs. */
import type { Provider } from '../../../providers/catalogue.ts';
import type { CredentialKind } from '../../domain/completion.ts';
import { type BatchId, stemOf, type TenantId } from '../../domain/ids.ts';
import { COUNTERS } from '../../domain/records/usage-counters.ts';
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

/** A row by names, `requests=3 cost_nano=1500`, or of a release before schema 2, in the order of COUNTERS: `3 2 1 …`. */
const readCounts = (text: string, counts: Counts): void => {
  counts.fill(0);
  if (text.includes('=')) readNamed(text, counts);
  else readOrdered(text, counts);
};

const PLACE_OF = new Map<string, number>(COUNTERS.map((counter, place) => [counter, place]));

const readNamed = (text: string, counts: Counts): void => {
  for (let start = 0; start < text.length; ) {
    const equals = text.indexOf('=', start);
    const space = text.indexOf(' ', equals);
    const end = space === -1 ? text.length : space;
    // A later release may count what this one does not know.
    const place = PLACE_OF.get(text.slice(start, equals));
    if (place !== undefined) counts[place] = readDigits(text, equals + 1, end);
    start = end + 1;
  }
};

const readOrdered = (text: string, counts: Counts): void => {
  let place = 0;
  for (let start = 0; start < text.length && place < counts.length; place++) {
    const space = text.indexOf(' ', start);
    const end = space === -1 ? text.length : space;
    counts[place] = readDigits(text, start, end);
    start = end + 1;
  }
};

/** Digit by digit: `slice` and `Number` take several times as long. */
const readDigits = (text: string, start: number, end: number): number => {
  let count = 0;
  for (let index = start; index < end; index++) count = count * 10 + (text.charCodeAt(index) - ZERO);
  return count;
};
const ZERO = 0x30;
