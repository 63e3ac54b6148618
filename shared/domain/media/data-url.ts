/** `data:` URLs, by which requests bring images and files. */

export type DataUrl = {
  /** In lower case, without parameters. */
  mediaType: string;
  /** Padded, of the alphabet with `+` and `/`. */
  base64: string;
};

const HEAD = /^data:([a-z0-9.+-]+\/[a-z0-9.+-]+)(?:;charset=utf-8)?;base64,/i;
const MAX_HEAD = 200;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** Null if it is none, `broken` if its base64 does not end as base64 does. */
export const parseDataUrl = (url: string): DataUrl | 'broken' | null => {
  const head = HEAD.exec(url.slice(0, MAX_HEAD));
  if (head === null) return null;
  const [whole, mediaType = ''] = head;
  const base64 = url.slice(whole.length);
  if (base64.length % 4 !== 0 || !BASE64.test(base64)) return 'broken';
  return { mediaType: mediaType.toLowerCase(), base64 };
};

/** The first bytes, and no more decoded than they need. */
export const firstBytes = ({ base64 }: DataUrl, count: number): Buffer =>
  Buffer.from(base64.slice(0, Math.ceil(count / 3) * 4), 'base64').subarray(0, count);
