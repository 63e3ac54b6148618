/**
 * How hard a secret is to guess, in bits, estimated from below: what follows from what stands before it counts nothing, and
 * neither does a word that people put into samples and passwords. Drawn at random, a secret of the shortest length that its
 * setting takes is far above the floor; written by hand, it is below.
 */

/** What a credential needs that opens one tenant's door, where tries are limited; and what one needs that opens all. */
export const FLOOR_BITS = { tenant: 36, operator: 76 } as const;

const WORDS = [
  ...['account', 'acme', 'admin', 'api', 'asdf', 'base64', 'battery', 'changeit', 'changeme', 'change', 'company'],
  ...['correct', 'credential', 'default', 'demo', 'development', 'dummy', 'example', 'foobar', 'gateway', 'hello'],
  ...['here', 'horse', 'insert', 'internal', 'letmein', 'local', 'long', 'master', 'operator', 'password', 'passwd'],
  ...['paste', 'pepper', 'placeholder', 'platform', 'private', 'production', 'qwerty', 'random', 'redis', 'replace'],
  ...['root', 'sample', 'secret', 'secure', 'server', 'service', 'staging', 'staple', 'super', 'tenant', 'test'],
  ...['token', 'user', 'value', 'welcome', 'your', 'zxcv', 'key'],
];
const SAMPLE_WORD = new RegExp(WORDS.join('|'), 'g');
/** As they are written in the place of letters: p4ssw0rd, $ecret. */
const LOOKALIKES: Readonly<Record<string, string>> = { 0: 'o', 1: 'l', 3: 'e', 4: 'a', 5: 's', $: 's', '@': 'a' };

const IN_A_WORD_BITS = 2.5;
const SEPARATOR_BITS = 1;
const DIGIT_BITS = Math.log2(10);

/** How many bits a character adds that nothing foretells. */
const poolBits = (text: string): number => {
  if (/^[0-9a-f]+$/i.test(text)) return 4;
  const classes: [RegExp, number][] = [
    [/[a-z]/, 26],
    [/[A-Z]/, 26],
    [/\d/, 10],
    [/[^A-Za-z0-9._~:/+=-]/, 24],
  ];
  return Math.log2(classes.reduce((sum, [pattern, size]) => sum + (pattern.test(text) ? size : 0), 2));
};

/** Whether the last two steps in `codes` up to `index` are the same, and one or none: aaa, abc, 321. */
const goesOn = (codes: ArrayLike<number>, index: number, furthest: number): boolean => {
  const [before = 0, last = 0, code = 0] = [codes[index - 2], codes[index - 1], codes[index]];
  return index >= 2 && code - last === last - before && Math.abs(code - last) <= furthest;
};

/** Which characters belong to a sample word. */
const inSampleWords = (text: string): Set<number> => {
  const lower = text.toLowerCase();
  const folded = lower.replace(/[013-5$@]/g, (character) => LOOKALIKES[character] ?? character);
  const found = new Set<number>();
  for (const each of [lower, folded]) {
    for (const { 0: word, index } of each.matchAll(SAMPLE_WORD)) {
      for (let at = index; at < index + word.length; at++) found.add(at);
    }
  }
  return found;
};

/** Of a text of printable ASCII. */
export const bitsOfText = (text: string): number => {
  const codes = Buffer.from(text, 'latin1');
  const known = inSampleWords(text);
  const seen = new Set<string>();
  const pool = poolBits(text);
  let bits = 0;
  for (let index = 0; index < codes.length; index++) {
    const pair = text.slice(Math.max(index - 1, 0), index + 1);
    const triple = text.slice(Math.max(index - 2, 0), index + 1).toLowerCase();
    const foretold = known.has(index) || goesOn(codes, index, 1) || (triple.length === 3 && seen.has(triple));
    seen.add(triple);
    if (foretold) continue;
    if (/^(?:[a-z]{2}|[A-Z]{2})$/.test(pair)) bits += Math.min(pool, IN_A_WORD_BITS);
    else if (/^\d{2}$/.test(pair)) bits += Math.min(pool, DIGIT_BITS);
    else if (/[-_.:/ ]$/.test(pair)) bits += SEPARATOR_BITS;
    else bits += pool;
  }
  return bits;
};

/** Of a key's bytes. A text that was only encoded is judged as the text. */
export const bitsOfBytes = (bytes: Buffer): number => {
  const text = bytes.toString('latin1');
  if (/^[\x20-\x7e\r\n]*$/.test(text)) return bitsOfText(text.trim());
  const seen = new Set<number>();
  let bits = 0;
  for (let index = 0; index < bytes.length; index++) {
    const pair = index > 0 ? bytes.readUInt16BE(index - 1) : -1;
    if (!goesOn(bytes, index, 255) && !seen.has(pair)) bits += 8;
    seen.add(pair);
  }
  return bits;
};
