/** What no tokenizer goes beyond for a text: cheap, and linear in its length. */

/** So many bytes a code point takes at most, in whatever normal form; 0: not looked up yet. Bounded by Unicode. */
const widths = new Uint8Array(0x11_00_00);

const FORMS = ['NFC', 'NFD', 'NFKC', 'NFKD'] as const;

const lookUp = (codePoint: number): number => {
  const text = String.fromCodePoint(codePoint);
  const bytes = Buffer.byteLength(text);
  // What has no compatible form has no other one (UAX 15).
  if (text.normalize('NFKD') === text) return bytes;
  return Math.max(bytes, ...FORMS.map((form) => Buffer.byteLength(text.normalize(form))));
};

/**
 * A token is at least a byte of what the tokenizer sees, and many normalise a text first: one sign of 3
 * bytes becomes up to 33. So each code point counts with the longest of its forms. Their sum is at least
 * the bytes of the text in each form, because what composition joins takes no more bytes than its parts.
 */
export const maxTokens = (text: string): number => {
  const bytes = Buffer.byteLength(text);
  // ASCII has one form.
  if (bytes === text.length) return bytes;
  let most = 0;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) {
      most += 1;
      continue;
    }
    const codePoint = text.codePointAt(index) ?? unit;
    if (codePoint > 0xffff) index += 1;
    const width = widths[codePoint] || lookUp(codePoint);
    widths[codePoint] = width;
    most += width;
  }
  return most;
};
