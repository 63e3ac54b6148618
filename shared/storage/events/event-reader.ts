/** Reads the events of an answer from its first on, and follows them as they come. */
import type { Redis } from 'ioredis';
import type { JobId, TenantId } from '../../domain/ids.ts';
import type { BodySealer, PiecePlace } from '../../keys/encryption/seal-body.ts';
import { BodyLocked, BodyLost } from '../bodies/body-store.ts';
import { key } from '../redis/names.ts';
import { tenantTag } from '../redis/shards.ts';
import { answerOf } from '../redis/unavailable.ts';
import { bindingOf, parseHead } from './event-entry.ts';

const ENTRIES_A_READ = 64;
/** Of events that were told of and not taken; who is slower reads them from Redis. */
const AHEAD_BYTES = 64 * 1_024;

type OpenPiece = (piece: Buffer, place: PiecePlace) => Buffer | null;

export type EventReader = {
  /** The next events; empty if there are none now. `attempt`: the newest that is known of, 0 if none is. Rejects with BodyLost, BodyLocked or RedisUnavailable. */
  read: (attempt: number) => Promise<Buffer>;
  /** How many entries were read, the first included. */
  entries: () => number;
  leave: () => void;
};

/** `onNews` is called if there may be more; nothing is told before it resolves. */
export type FollowEvents = (of: { tenant: TenantId; id: JobId }, onNews: () => void) => Promise<EventReader>;

type Told = { attempt: number; place: number; entry: Buffer };

/** `<attempt> <place> <entry>` */
const parseTold = (message: Buffer): Told => {
  const first = message.indexOf(0x20);
  const second = message.indexOf(0x20, first + 1);
  const numberIn = (from: number, to: number): number => Number(message.toString('latin1', from, to));
  return { attempt: numberIn(0, first), place: numberIn(first + 1, second), entry: message.subarray(second + 1) };
};

export const createEventReaders = ({
  redis,
  news,
  sealer,
  shards,
}: {
  redis: Redis;
  /** A connection for news. */
  news: Redis;
  sealer: Pick<BodySealer, 'open'>;
  shards: number;
}): FollowEvents => {
  const readers = new Map<string, Set<(told: Told) => void>>();
  news.on('messageBuffer', (channel: Buffer, message: Buffer) => {
    const listening = readers.get(channel.toString('latin1'));
    if (listening === undefined) return;
    const told = parseTold(message);
    for (const listen of listening) listen(told);
  });

  /** A subscription that is refused, or lost while the connection is away, only makes the reader slower. */
  const listen = async (channel: string, listener: (told: Told) => void): Promise<() => void> => {
    const listening = readers.get(channel) ?? new Set();
    readers.set(channel, listening.add(listener));
    if (listening.size === 1) await news.subscribe(channel).catch(() => {});
    return () => {
      listening.delete(listener);
      if (listening.size > 0 || readers.get(channel) !== listening) return;
      readers.delete(channel);
      news.unsubscribe(channel).catch(() => {});
    };
  };

  const opener = async (of: Parameters<typeof bindingOf>[0], head: Buffer): Promise<OpenPiece> => {
    const parsed = parseHead(head.toString('latin1'));
    if (parsed === null) throw new BodyLost();
    if (parsed.seal === null) return (piece) => piece;
    const opened = await sealer.open(parsed.seal, bindingOf(of));
    if (opened.ok) return opened.openPiece;
    throw opened.reason === 'unavailable' ? new BodyLocked() : new BodyLost();
  };

  return async ({ tenant, id }, onNews) => {
    const tag = tenantTag(tenant, shards);
    /** The one that is read: only one shows anything. */
    let attempt = 0;
    let open: OpenPiece | null = null;
    /** The next entry. */
    let place = 0;
    let told: Told[] = [];
    let toldBytes = 0;

    const leave = await listen(key(tag, 'EVENT_NEWS', id), (each) => {
      if (told.length === 0 || toldBytes + each.entry.length <= AHEAD_BYTES) {
        told.push(each);
        toldBytes += each.entry.length;
      }
      onNews();
    });

    const openAll = (entries: readonly Buffer[], openPiece: OpenPiece): Buffer =>
      Buffer.concat(
        entries.map((entry) => {
          const opened = openPiece(entry, { index: place, total: 0 });
          if (opened === null) throw new BodyLost();
          place += 1;
          return opened;
        }),
      );
    /** Those that were told and come next. */
    const takeTold = (): Buffer[] => {
      const next: Buffer[] = [];
      for (const each of told) {
        if (each.attempt === attempt && each.place === place + next.length) next.push(each.entry);
      }
      told = [];
      toldBytes = 0;
      return next;
    };

    return {
      read: async (known) => {
        if (open !== null) {
          const next = takeTold();
          if (next.length > 0) return openAll(next, open);
        } else {
          attempt = Math.max(known, ...told.map((each) => each.attempt));
          if (attempt === 0) return Buffer.alloc(0);
        }
        const entries = await answerOf(
          redis.lrangeBuffer(key(tag, 'EVENTS', `${id}.${attempt}`), place, place + ENTRIES_A_READ - 1),
        );
        if (open === null) {
          const head = entries.shift();
          if (head === undefined) return Buffer.alloc(0);
          open = await opener({ tenant, id, attempt }, head);
          place = 1;
        }
        return openAll(entries, open);
      },
      entries: () => place,
      leave,
    };
  };
};
