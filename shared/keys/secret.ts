import { inspect } from 'node:util';

const HIDDEN = '[secret]';
const TELLING_LENGTH = 6;
const TELLING_LENGTH_OF_LETTERS = 8;

const hasPartOf = (value: string, text: string, length: number): boolean => {
  for (let start = 0; start + length <= value.length; start++) {
    if (text.includes(value.slice(start, start + length))) return true;
  }
  return false;
};

/** Letters and digits in one case and one width. */
const lettersOf = (text: string): string =>
  text
    .normalize('NFKC')
    .replace(/[^A-Za-z0-9]+/g, '')
    .toLowerCase();

/** A value that no printer, serializer or template can show. Only `reveal` gives it out; search for its callers to see every use in clear. */
export class Secret {
  #value: string | null;

  constructor(value: string) {
    this.#value = value;
  }

  /** Throws when it was forgotten. */
  reveal(): string {
    if (this.#value === null) throw new Error('this secret was forgotten');
    return this.#value;
  }

  /** Lets go of the value, whoever still holds this object: frames that wait, closures and library objects do. Safe to call twice. */
  forget(): void {
    this.#value = null;
  }

  /**
   * Whether a part of the value stands in `text`, which is a leak too: any six characters in a row, or any eight of its letters and
   * digits whatever stands between them and in whichever case. Never true for a value shorter than that, and for one that was forgotten.
   */
  isPartlyIn(text: string): boolean {
    const value = this.#value ?? '';
    return (
      hasPartOf(value, text, TELLING_LENGTH) || hasPartOf(lettersOf(value), lettersOf(text), TELLING_LENGTH_OF_LETTERS)
    );
  }

  toString(): string {
    return HIDDEN;
  }

  toJSON(): string {
    return HIDDEN;
  }

  [inspect.custom](): string {
    return HIDDEN;
  }
}
