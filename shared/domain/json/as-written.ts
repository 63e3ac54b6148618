/** Whether `JSON.parse` made of a text what it says: it rounds numbers, moves names that are whole numbers, and drops repeated ones. */

/** Objects and lists that are not, or do not hold, what their text says. */
const changed = new WeakSet<object>();

/** As the object of a sentence: what of an object parsing does not keep. */
export const WHAT_PARSING_CHANGES =
  'a number that is not kept exactly, a name twice, or names that are whole numbers and not in their order';

const isJson = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** False if `noteChanges` found that parsing changed it, or something in it. */
export const isAsWritten = (value: object): boolean => !changed.has(value);

const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /true|false|null/y;
/** So many digits are kept whatever they are. */
const SAFE_DIGITS = 15;

/** The digits of a number without zeros at their ends, and its exponent. */
const exact = (token: string): string => {
  const [mantissa = '', exponent = '0'] = token.toLowerCase().replace(/^-/, '').split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  const kept = digits.replace(/0+$/, '');
  return kept === '' ? '0' : `${kept}e${Number(exponent) - fraction.length + digits.length - kept.length}`;
};

const isKept = (token: string): boolean =>
  (token.length <= SAFE_DIGITS && !/[eE]/.test(token)) || exact(token) === exact(String(Number(token)));

/** Reads a valid text once, beside what was parsed from it. */
class Reader {
  private at = 0;
  private readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** Whether the next value is as written; notes it if not. */
  value(parsed: unknown): boolean {
    const first = this.next();
    if (first === '"') {
      this.string();
      return true;
    }
    if (first !== '{' && first !== '[') {
      return this.token(WORD) !== null || isKept(this.token(NUMBER) ?? '');
    }
    this.at += 1;
    const same = first === '{' ? this.members(parsed) : this.entries(parsed);
    if (!same && isJson(parsed)) changed.add(parsed);
    return same;
  }

  private members(parsed: unknown): boolean {
    // A cast because an object stands there: a list's names are read as well.
    const values = (isJson(parsed) ? parsed : {}) as Record<string, unknown>;
    const names: string[] = [];
    let same = true;
    for (let mark = this.next(); mark !== '}'; mark = this.next()) {
      if (mark === ',') this.at += 1;
      this.next();
      // A cast because a text in quotes is a string.
      const name = JSON.parse(this.string()) as string;
      names.push(name);
      this.next();
      this.at += 1;
      same = this.value(values[name]) && same;
    }
    this.at += 1;
    const kept = Object.keys(values);
    return same && kept.length === names.length && kept.every((name, index) => name === names[index]);
  }

  private entries(parsed: unknown): boolean {
    const values = Array.isArray(parsed) ? parsed : [];
    let same = true;
    let index = 0;
    for (let mark = this.next(); mark !== ']'; mark = this.next()) {
      if (mark === ',') this.at += 1;
      same = this.value(values[index]) && same;
      index += 1;
    }
    this.at += 1;
    return same;
  }

  /** The character after the blanks; it is not read yet. */
  private next(): string {
    while (/\s/.test(this.text[this.at] ?? '')) this.at += 1;
    return this.text[this.at] ?? '';
  }

  private string(): string {
    const start = this.at;
    let end = this.text.indexOf('"', start + 1);
    while (this.isEscaped(end)) end = this.text.indexOf('"', end + 1);
    this.at = end + 1;
    return this.text.slice(start, this.at);
  }

  private isEscaped(quote: number): boolean {
    let escapes = 0;
    while (this.text[quote - 1 - escapes] === '\\') escapes += 1;
    return escapes % 2 === 1;
  }

  private token(pattern: RegExp): string | null {
    pattern.lastIndex = this.at;
    const [found] = pattern.exec(this.text) ?? [];
    if (found === undefined) return null;
    this.at += found.length;
    return found;
  }
}

/** Linear. `parsed` is what `JSON.parse` made of `text`, of bounded depth. */
export const noteChanges = (text: string, parsed: unknown): void => {
  new Reader(text).value(parsed);
};

/** What a text says, if it is a JSON object that parsing keeps as it is; `changed` if it is one that parsing changes, null if it is none. */
export const objectAsWritten = (text: string): Record<string, unknown> | 'changed' | null => {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isJson(parsed) || Array.isArray(parsed)) return null;
  // A cast because it is neither null nor a list.
  return new Reader(text).value(parsed) ? (parsed as Record<string, unknown>) : 'changed';
};
