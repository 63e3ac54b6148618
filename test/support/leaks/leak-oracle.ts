/** Looks for any part of a secret, however it may be written. Shares nothing with the gateway's own scrubbing. */
import { randomBytes } from 'node:crypto';

/** So many characters of a key's random tail in a row are a leak. */
export const WINDOW = 6;

/**
 * A key-shaped secret. Its tail has a `_` in every window, which ids, hex and plain base64 cannot have; what is left of chance is one in some ten thousand runs.
 * Nothing but the tail is looked for: all keys of a vendor begin alike.
 */
export type Canary = { key: string; tail: string };

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

export const createCanary = (prefix: string): Canary => {
  const letters = [...randomBytes(20)].map((byte) => LETTERS[byte % LETTERS.length] ?? 'A');
  const tail = letters.map((letter, index) => (index % 5 === 4 ? '_' : letter)).join('');
  return { key: prefix + tail, tail };
};

export type Leak = { sink: string; encoding: string; around: string };

/** Every way in which a window of the tail may be written. */
const writingsOf = ({ tail }: Canary): { encoding: string; text: string }[] =>
  Array.from({ length: tail.length - WINDOW + 1 }, (_, at) => tail.slice(at, at + WINDOW)).flatMap((window) => {
    const bytes = Buffer.from(window);
    const each = (write: (byte: number) => string): string => [...bytes].map(write).join('');
    const hex = bytes.toString('hex');
    const percent = each((byte) => `%${byte.toString(16)}`);
    const escaped = each((byte) => `\\u00${byte.toString(16)}`);
    return [
      { encoding: 'plain', text: window },
      { encoding: 'hex', text: hex },
      { encoding: 'hex', text: hex.toUpperCase() },
      { encoding: 'percent', text: percent },
      { encoding: 'percent', text: percent.toUpperCase() },
      { encoding: 'percent', text: window.replaceAll('_', '%5F') },
      { encoding: 'percent', text: window.replaceAll('_', '%5f') },
      { encoding: 'JSON escapes', text: escaped },
      { encoding: 'JSON escapes', text: escaped.replace(/[a-f]/g, (digit) => digit.toUpperCase()) },
      ...[0, 1, 2].flatMap((offset) => [
        { encoding: 'base64', text: insideBase64(bytes, offset, 'base64') },
        { encoding: 'base64url', text: insideBase64(bytes, offset, 'base64url') },
      ]),
    ];
  });

/** What base64 makes of these bytes wherever they stand `offset` bytes after a multiple of three: without the characters that also hold bits of their neighbours. */
const insideBase64 = (bytes: Buffer, offset: number, encoding: 'base64' | 'base64url'): string => {
  const text = Buffer.concat([Buffer.alloc(offset), bytes, Buffer.alloc(3)]).toString(encoding);
  return text.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6));
};

/** All leaks of the canaries in the sinks; a sink's bytes are given as latin1. `around` shows where, with the leaked part left in: canaries are nobody's keys. */
export const findLeaks = (canaries: readonly Canary[], sinks: ReadonlyMap<string, string>): Leak[] => {
  const writings = canaries.flatMap(writingsOf);
  return [...sinks].flatMap(([sink, content]) =>
    writings.flatMap(({ encoding, text }) => {
      const at = content.indexOf(text);
      return at < 0 ? [] : [{ sink, encoding, around: content.slice(Math.max(0, at - 60), at + 80) }];
    }),
  );
};
