import { inspect } from 'node:util';

const HIDDEN = '[secret]';
const TELLING_LENGTH = 6;

/** A value that no printer, serializer or template can show. Only `reveal` gives it out; search for its callers to see every use in clear. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  /** Whether any six characters in a row of the value stand in `text`: a part of a key is a leak too. Never true for a value shorter than that. */
  isPartlyIn(text: string): boolean {
    for (let start = 0; start + TELLING_LENGTH <= this.#value.length; start++) {
      if (text.includes(this.#value.slice(start, start + TELLING_LENGTH))) return true;
    }
    return false;
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
