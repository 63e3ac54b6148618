/** JSON as whoever reads it sees it: no blanks between values, no needless escapes; all else stays, as no parser would leave it. */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const LETTER_U = 0x75;
const SLASH = 0x2f;

/** Of a digit of base 16: in ASCII `A` is 9 below a multiple of 16, and so is `a`. */
const digitOf = (byte = 0): number => (byte & 0x0f) + (byte > 0x39 ? 9 : 0);

/** Of `\uXXXX` at `at`. */
const unitAt = (json: Buffer, at: number): number =>
  (digitOf(json[at + 2]) << 12) | (digitOf(json[at + 3]) << 8) | (digitOf(json[at + 4]) << 4) | digitOf(json[at + 5]);

const isHalf = (unit: number, of: 0xd800 | 0xdc00): boolean => (unit & 0xfc00) === of;
const REPLACEMENT = 0xfffd;
const ESCAPE_BYTES = 6;

/** The sign that `\uXXXX` at `at` stands for, both halves of it; null if JSON must write it so. */
const signAt = (json: Buffer, at: number): number | null => {
  const unit = unitAt(json, at);
  if (unit < SPACE || unit === QUOTE || unit === BACKSLASH) return null;
  if (isHalf(unit, 0xdc00)) return REPLACEMENT;
  if (!isHalf(unit, 0xd800)) return unit;
  const isEscape = json[at + ESCAPE_BYTES] === BACKSLASH && json[at + ESCAPE_BYTES + 1] === LETTER_U;
  const second = isEscape ? unitAt(json, at + ESCAPE_BYTES) : 0;
  return isHalf(second, 0xdc00) ? 0x1_0000 + ((unit & 0x3ff) << 10) + (second & 0x3ff) : REPLACEMENT;
};

/** Writes a code point in UTF-8; answers where it ends. A call of `write` for each of millions takes seconds. */
const writeSign = (sign: number, into: Buffer, from: number): number => {
  let at = from;
  const more = sign < 0x80 ? 0 : sign < 0x800 ? 1 : sign < 0x1_0000 ? 2 : 3;
  into[at++] = more === 0 ? sign : ((0xff00 >> (more + 1)) & 0xff) | (sign >> (6 * more));
  for (let left = more - 1; left >= 0; left -= 1) into[at++] = 0x80 | ((sign >> (6 * left)) & 0x3f);
  return at;
};

/**
 * The plain text of JSON that a scanner has found to be such. Unlike what is built and written again it keeps members that stand twice, and
 * all digits of a number.
 */
export const plainJson = (json: Buffer): string => {
  const plain = Buffer.allocUnsafe(json.length);
  let size = 0;
  let isInString = false;
  for (let at = 0; at < json.length; ) {
    const byte = json[at] ?? 0;
    if (byte !== BACKSLASH) {
      if (byte === QUOTE) isInString = !isInString;
      if (isInString || byte > SPACE) plain[size++] = byte;
      at += 1;
      continue;
    }
    const letter = json[at + 1] ?? 0;
    const sign = letter === LETTER_U ? signAt(json, at) : null;
    if (sign !== null) {
      size = writeSign(sign, plain, size);
      at += sign < 0x1_0000 ? ESCAPE_BYTES : 2 * ESCAPE_BYTES;
    } else {
      if (letter !== SLASH) plain[size++] = byte;
      plain[size++] = letter;
      at += 2;
    }
  }
  return plain.toString('utf8', 0, size);
};
