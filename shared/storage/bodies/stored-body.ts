/**
 * What stands in a job's REQUEST or RESULT: the body itself, or where its pieces are.
 *
 * | text | what it is |
 * |---|---|
 * | `{…}` | JSON of our own, as it is |
 * | `p1.<body>` | a body as it came |
 * | `s1.<seal>.<base64url>` | a sealed one |
 * | `c1.<pieces>.<bytes>` | a body in pieces |
 * | `t1.<seal>.<pieces>.<bytes>` | a sealed one in pieces |
 */

/** A body that is longer goes to Redis in pieces: one long argument holds up everybody. */
export const LONGEST_INLINE_BYTES = 64 * 1_024;
export const PIECE_BYTES = 256 * 1_024;

/** `bytes`: of the body in clear. */
export type Pieces = { pieces: number; bytes: number };

export type StoredBody =
  | { kind: 'own'; json: string }
  | { kind: 'inline'; body: Buffer }
  | { kind: 'sealed'; seal: string; sealed: Buffer }
  | ({ kind: 'pieces' } & Pieces)
  | ({ kind: 'sealed_pieces'; seal: string } & Pieces);

export const storedText = (stored: StoredBody): string => {
  switch (stored.kind) {
    case 'own':
      return stored.json;
    case 'inline':
      return `p1.${stored.body.toString('utf8')}`;
    case 'sealed':
      return `s1.${stored.seal}.${stored.sealed.toString('base64url')}`;
    case 'pieces':
      return `c1.${stored.pieces}.${stored.bytes}`;
    case 'sealed_pieces':
      return `t1.${stored.seal}.${stored.pieces}.${stored.bytes}`;
  }
};

const PIECES = /^c1\.(\d+)\.(\d+)$/;
const SEALED = /^s1\.([A-Za-z0-9_.-]+)\.([A-Za-z0-9_-]+)$/;
const SEALED_PIECES = /^t1\.([A-Za-z0-9_.-]+)\.(\d+)\.(\d+)$/;

/** Null for what this release does not know. */
export const parseStored = (text: string): StoredBody | null => {
  if (text.startsWith('{')) return { kind: 'own', json: text };
  if (text.startsWith('p1.')) return { kind: 'inline', body: Buffer.from(text.slice('p1.'.length)) };
  const [, pieces, bytes] = PIECES.exec(text) ?? [];
  if (pieces !== undefined) return { kind: 'pieces', pieces: Number(pieces), bytes: Number(bytes) };
  const [, seal, sealed] = SEALED.exec(text) ?? [];
  if (seal !== undefined && sealed !== undefined) {
    return { kind: 'sealed', seal, sealed: Buffer.from(sealed, 'base64url') };
  }
  const [, sealOfPieces, sealedPieces, sealedBytes] = SEALED_PIECES.exec(text) ?? [];
  if (sealOfPieces === undefined) return null;
  return { kind: 'sealed_pieces', seal: sealOfPieces, pieces: Number(sealedPieces), bytes: Number(sealedBytes) };
};

/** Stands for a body that would be stored in pieces, and was not written. */
export const piecesText = (bytes: number): string =>
  storedText({ kind: 'pieces', pieces: Math.ceil(bytes / PIECE_BYTES), bytes });

export const isSealed = (text: string): boolean => text.startsWith('s1.') || text.startsWith('t1.');

/** Bytes of the body that a text stands for, and of its pieces beside it. */
export const piecesOf = (text: string): Pieces => {
  const stored = parseStored(text);
  return stored?.kind === 'pieces' || stored?.kind === 'sealed_pieces'
    ? { pieces: stored.pieces, bytes: stored.bytes }
    : { pieces: 0, bytes: Buffer.byteLength(text) };
};
