import { inspect } from 'node:util';

const HIDDEN = '[secret]';
const TELLING_LENGTH = 6;

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

  /** Whether any six characters in a row of the value stand in `text`: a part of a key is a leak too. Never true for a value shorter than that, and for one that was forgotten. */
  isPartlyIn(text: string): boolean {
    const value = this.#value ?? '';
    for (let start = 0; start + TELLING_LENGTH <= value.length; start++) {
      if (text.includes(value.slice(start, start + TELLING_LENGTH))) return true;
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
