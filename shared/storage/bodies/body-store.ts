/** Bodies of requests and answers: short ones as a text among a job's own, long ones in pieces beside it. */
import { isUtf8 } from 'node:buffer';
import type { Redis } from 'ioredis';
import type { JobId, TenantId } from '../../domain/ids.ts';
import type { BodyBinding, BodySealer, PiecePlace } from '../../keys/encryption/seal-body.ts';
import { key } from '../redis/names.ts';
import { tenantTag } from '../redis/shards.ts';
import { answerOf, answersOf } from '../redis/unavailable.ts';
import { LONGEST_INLINE_BYTES, PIECE_BYTES, parseStored, type StoredBody, storedText } from './stored-body.ts';

/** Pieces that nothing names are gone after so long. */
export const UNNAMED_PIECES_MS = 60_000;
/** Pieces that are under way at once. */
const PIECES_AT_ONCE = 4;

export type BodyOf = {
  tenant: TenantId;
  id: JobId;
  part: 'request' | 'answer';
  /** Of an answer that is not settled: attempts may write at once. Null when it is settled, and for a request. */
  attempt: number | null;
};

/** Pieces are gone, or are not what was stored; or a newer release stored them. */
export class BodyLost extends Error {
  constructor() {
    super('A stored body is not what it was, or is gone');
    this.name = 'BodyLost';
  }
}

/** The key that sealed a body cannot be asked for now. */
export class BodyLocked extends Error {
  constructor() {
    super('The key of a sealed body cannot be asked for now');
    this.name = 'BodyLocked';
  }
}

export type BodyStore = ReturnType<typeof createBodyStore>;

export const createBodyStore = ({ redis, sealer, shards }: { redis: Redis; sealer: BodySealer; shards: number }) => {
  const keyOf = ({ tenant, id, part, attempt }: BodyOf): string =>
    key(
      tenantTag(tenant, shards),
      part === 'request' ? 'REQUEST_BODY' : 'ANSWER',
      attempt === null ? id : `${id}.${attempt}`,
    );
  const bindingOf = ({ tenant, id, part }: BodyOf): BodyBinding => ({ tenant, subject: id, part });

  /** Runs for each piece in order, a few at a time. */
  const forEachPiece = async (pieces: number, run: (index: number) => Promise<void>): Promise<void> => {
    for (let from = 0; from < pieces; from += PIECES_AT_ONCE) {
      const count = Math.min(PIECES_AT_ONCE, pieces - from);
      await Promise.all(Array.from({ length: count }, (_, offset) => run(from + offset)));
    }
  };

  const writePieces = async (
    of: BodyOf,
    bytes: Buffer,
    sealPiece: (piece: Buffer, place: PiecePlace) => Buffer,
  ): Promise<number> => {
    const total = Math.ceil(bytes.length / PIECE_BYTES);
    const name = keyOf(of);
    await forEachPiece(total, async (index) => {
      const piece = sealPiece(bytes.subarray(index * PIECE_BYTES, (index + 1) * PIECE_BYTES), { index, total });
      await answersOf(redis.multi().hset(name, String(index), piece).pexpire(name, UNNAMED_PIECES_MS).exec());
    });
    return total;
  };

  const readPieces = async (
    of: BodyOf,
    { pieces: total, bytes }: { pieces: number; bytes: number },
    openPiece: (piece: Buffer, place: PiecePlace) => Buffer | null,
  ): Promise<Buffer> => {
    const body = Buffer.allocUnsafeSlow(bytes);
    const name = keyOf(of);
    await forEachPiece(total, async (index) => {
      const stored = await answerOf(redis.hgetBuffer(name, String(index)));
      const piece = stored && openPiece(stored, { index, total });
      const start = index * PIECE_BYTES;
      if (piece === null || piece.length !== Math.min(PIECE_BYTES, bytes - start)) throw new BodyLost();
      piece.copy(body, start);
    });
    return body;
  };

  const open = async (seal: string, of: BodyOf) => {
    const opened = await sealer.open(seal, bindingOf(of));
    if (opened.ok) return opened.openPiece;
    throw opened.reason === 'unavailable' ? new BodyLocked() : new BodyLost();
  };

  const read = async (of: BodyOf, stored: StoredBody): Promise<Buffer> => {
    switch (stored.kind) {
      case 'own':
        return Buffer.from(stored.json);
      case 'inline':
        return stored.body;
      case 'sealed': {
        const opened = (await open(stored.seal, of))(stored.sealed, { index: 0, total: 1 });
        if (opened === null) throw new BodyLost();
        return opened;
      }
      case 'pieces':
        return readPieces(of, stored, (piece) => piece);
      case 'sealed_pieces':
        return readPieces(of, stored, await open(stored.seal, of));
    }
  };

  return {
    /**
     * The text to store for a body. Pieces are written by then, and are gone in a minute unless the command that stores the text keeps them.
     * Rejects with KeyServiceUnavailable or RedisUnavailable; nothing that counts is left behind.
     */
    put: async (of: BodyOf, bytes: Buffer, { sealed }: { sealed: boolean }): Promise<string> => {
      // A text of Redis' is UTF-8 here, and a provider's answer may be anything.
      const isShort = bytes.length <= LONGEST_INLINE_BYTES && (sealed || isUtf8(bytes));
      if (!sealed) {
        if (isShort) return storedText({ kind: 'inline', body: bytes });
        return storedText({
          kind: 'pieces',
          pieces: await writePieces(of, bytes, (piece) => piece),
          bytes: bytes.length,
        });
      }
      const { seal, sealPiece } = await sealer.begin(bindingOf(of));
      if (isShort) return storedText({ kind: 'sealed', seal, sealed: sealPiece(bytes, { index: 0, total: 1 }) });
      return storedText({
        kind: 'sealed_pieces',
        seal,
        pieces: await writePieces(of, bytes, sealPiece),
        bytes: bytes.length,
      });
    },

    /** The body that a text stands for. Rejects with BodyLost, BodyLocked or RedisUnavailable. */
    read: async (of: BodyOf, text: string): Promise<Buffer> => {
      const stored = parseStored(text);
      if (stored === null) throw new BodyLost();
      return read(of, stored);
    },
  };
};
