/** Writes the events of answers as they come: the first at once, then what has gathered of all answers together, some times a second. */
import { setTimeout as delay } from 'node:timers/promises';
import type { BodySealer } from '../../keys/encryption/seal-body.ts';
import type { Argument, RunCommand } from '../commands/command.ts';
import { appendEvents } from '../commands/jobs/commands.ts';
import { shardTag } from '../redis/names.ts';
import { shardOf } from '../redis/shards.ts';
import { bindingOf, type EventsOf, headOf } from './event-entry.ts';

/** So long events gather, which a reader does not notice. */
const GATHER_MS = 40;
/** A call is not longer, and a list lives on its own until then. */
const LIST_MS = 15 * 60_000;
/** Of one answer; what is more goes to those only who listen, and is in the answer at its end. */
const KEPT_BYTES = 4 * 1_024 * 1_024;
const KEPT_ENTRIES = 20_000;
/** In one step of Redis'. */
const LISTS_A_CALL = 64;
const AGAIN_MS = 100;
/** If Redis does not take them for so long, an answer comes whole at its end. */
const GIVE_UP_MS = 5_000;

export type EventWriter = {
  /** Whole events, in order. */
  write: (events: Buffer) => void;
  /** When Redis has all of them: how many entries they are in, the first included; null if some were left out. */
  end: () => Promise<number | null>;
};

type List = EventsOf & {
  sealPiece: (piece: Buffer, place: { index: number; total: number }) => Buffer;
  head: string;
  gathered: Buffer[];
  isSending: boolean;
  /** The next entry's number. */
  place: number;
  keptBytes: number;
  state: 'kept' | 'only told' | 'given up';
  /** Called when nothing is gathered any more. */
  whenEmpty: (() => void) | null;
};

export type OpenEventWriter = (of: EventsOf, options: { sealed: boolean }) => Promise<EventWriter>;

/** What has gathered, as the command takes it. */
const takeEntries = (list: List): Argument[] => {
  const { id, attempt } = list;
  const events = Buffer.concat(list.gathered.splice(0));
  const rows: Argument[] = list.place === 0 ? [id, attempt, 0, '1', list.head] : [];
  const place = Math.max(1, list.place);
  const entry = list.sealPiece(events, { index: place, total: 0 });
  list.place = place + 1;
  list.keptBytes += entry.length;
  if (list.keptBytes > KEPT_BYTES || place > KEPT_ENTRIES) list.state = 'only told';
  return [...rows, id, attempt, place, list.state === 'kept' ? '1' : '', entry];
};

export const createEventWriters = ({
  run,
  sealer,
  shards,
}: {
  run: RunCommand;
  sealer: BodySealer;
  shards: number;
}): OpenEventWriter => {
  const send = async (shard: number, entries: Argument[]): Promise<boolean> => {
    const untilMs = performance.now() + GIVE_UP_MS;
    for (;;) {
      try {
        await run(appendEvents, shardTag(shard), { lifeMs: LIST_MS, entries });
        return true;
      } catch {
        // What Redis says of itself is logged elsewhere.
        if (performance.now() > untilMs) return false;
        await delay(AGAIN_MS);
      }
    }
  };

  const createShard = (shard: number) => {
    const due = new Set<List>();
    const fresh = new Set<List>();
    let isGathering = false;

    const write = async (lists: readonly List[]): Promise<void> => {
      for (const list of lists) {
        due.delete(list);
        list.isSending = true;
      }
      const isSent = await send(shard, lists.flatMap(takeEntries));
      for (const list of lists) {
        list.isSending = false;
        if (!isSent) list.state = 'given up';
        if (list.state === 'given up') list.gathered.length = 0;
        if (list.gathered.length === 0) list.whenEmpty?.();
        else if (list.whenEmpty === null) gather(list);
        else void write([list]);
      }
    };
    const writeDue = (): void => {
      isGathering = false;
      const lists = [...due];
      for (let from = 0; from < lists.length; from += LISTS_A_CALL) void write(lists.slice(from, from + LISTS_A_CALL));
    };
    const gather = (list: List): void => {
      due.add(list);
      if (!isGathering) setTimeout(writeDue, GATHER_MS);
      isGathering = true;
    };
    /** Those whose first events came in this turn. */
    const writeFresh = (): void => {
      const lists = [...fresh];
      fresh.clear();
      for (let from = 0; from < lists.length; from += LISTS_A_CALL) void write(lists.slice(from, from + LISTS_A_CALL));
    };

    return {
      add: (list: List, events: Buffer): void => {
        if (list.state === 'given up') return;
        list.gathered.push(events);
        if (list.isSending) return;
        if (list.place > 0) {
          gather(list);
          return;
        }
        if (fresh.size === 0) setImmediate(writeFresh);
        fresh.add(list);
      },
      end: async (list: List): Promise<void> => {
        if (list.gathered.length === 0 && !list.isSending) return;
        const { promise, resolve } = Promise.withResolvers<void>();
        list.whenEmpty = resolve;
        if (!list.isSending && !fresh.has(list)) void write([list]);
        await promise;
      },
    };
  };
  const byShard = Array.from({ length: shards }, (_, shard) => createShard(shard));

  return async (of, { sealed }) => {
    const begun = sealed ? await sealer.begin(bindingOf(of)) : null;
    const list: List = {
      ...of,
      sealPiece: begun?.sealPiece ?? ((piece) => piece),
      head: headOf(begun?.seal ?? null),
      gathered: [],
      isSending: false,
      place: 0,
      keptBytes: 0,
      state: 'kept',
      whenEmpty: null,
    };
    const shard = byShard[shardOf(of.tenant, shards)];
    if (shard === undefined) throw new RangeError('a tenant of no shard');
    return {
      write: (events) => shard.add(list, events),
      end: async () => {
        await shard.end(list);
        return list.state === 'kept' ? list.place : null;
      },
    };
  };
};
