/**
 * A body in foreign words, read member by member while its neutral form is made. Nothing of it is
 * lost in silence: a member that nobody asked for is one that the neutral form has no place for.
 */
import { RequestError } from '../../../shared/domain/errors.ts';
import { pathText, shownName } from '../../../shared/domain/wording/explain-issue.ts';
import type { Lack } from '../support/lacks.ts';
import type { Path } from '../support/without.ts';
import { type Origins, Place } from './origins.ts';

/** A thing of the neutral form: as it was sent, or made of what was; null is left out. */
export type Made = object | null;

export type Reading = { lacks: Lack[]; origins: Origins };

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Whether a value says what is so without it: the same scalar, or a list or object that is as short. */
const isSame = (value: unknown, other: unknown): boolean => {
  if (Array.isArray(value) && Array.isArray(other)) {
    return value.length === other.length && value.every((entry, index) => entry === other[index]);
  }
  return value === other || (isObject(value) && isObject(other) && Object.keys(value).length === 0);
};

/** Of what runs on the platform's account through the neutral form, `what` is not. */
export const keyOnly = (what: string): string => `This path takes ${what} with a user’s own key only`;

/** What stands at one place of the body; its value is undefined if nothing does. */
export class Sent extends Place {
  private readonly reading: Reading;
  private readonly asked = new Set<string>();

  constructor(value: unknown, path: Path, reading: Reading) {
    super(value, path);
    this.reading = reading;
  }

  /** Whether a member stands there, be it null. */
  has(name: string): boolean {
    return isObject(this.value) && Object.hasOwn(this.value, name);
  }

  /** A member. One that is null says nothing, nor does one that says what is so by itself. */
  get(name: string, byItself?: unknown): Sent {
    this.asked.add(name);
    const value = isObject(this.value) && this.has(name) ? (this.value[name] ?? undefined) : undefined;
    return new Sent(isSame(value, byItself) ? undefined : value, [...this.path, name], this.reading);
  }

  /** A member that is an object, if it is there; throws RequestError 400 for anything else. */
  open(name: string): Sent {
    const member = this.get(name);
    return member.value === undefined || isObject(member.value) ? member : member.refuse('must be an object');
  }

  /** Members that say nothing of their own. */
  skip(...names: readonly string[]): void {
    for (const name of names) this.asked.add(name);
  }

  /** A member that may say nothing but what is so by itself. */
  only(name: string, byItself: unknown): void {
    const member = this.get(name, byItself);
    if (member.value !== undefined) member.lack(keyOnly(name));
  }

  /** The first of two names for one thing; the other may repeat it. */
  either(name: string, other: string): Sent {
    const [first, second] = [this.get(name), this.get(other)];
    if (first.value === undefined) return second;
    if (second.value !== undefined && second.value !== first.value) {
      second.lack(`${other} says another thing than ${name}`);
    }
    return first;
  }

  /** The same place with a value that means the same. */
  as(value: unknown): Sent {
    return new Sent(value, this.path, this.reading);
  }

  /** What `build` makes of an object; anything else is left to the neutral form, which says what is wrong. */
  read(build: (sent: Sent) => Made): Made {
    if (!isObject(this.value)) return this;
    const made = build(this);
    if (made !== null) this.close();
    return made;
  }

  /** What `build` makes of each entry of a list, one thing or several, without those that are left out; null if it is none. */
  each<T extends object>(build: (entry: Sent, isLast: boolean) => T | readonly T[] | null): T[] | null {
    if (!Array.isArray(this.value)) return null;
    const { lacks } = this.reading;
    const before = lacks.length;
    const lastIndex = this.value.length - 1;
    const made = this.value.flatMap(
      (entry, index) => build(new Sent(entry, [...this.path, index], this.reading), index === lastIndex) ?? [],
    );
    const last = lacks.at(-1);
    // A list of which nothing is left says another thing, or is none.
    if (made.length === 0 && lacks.length > before && last) lacks[lacks.length - 1] = { ...last, fixed: true };
    return made;
  }

  /** The list that `each` gives; what is no list is left to the neutral form. */
  map(build: (entry: Sent, isLast: boolean) => Made): object {
    const made = this.each(build);
    return made === null ? this : this.list(made);
  }

  /** A list that stands for what stands here. */
  list(entries: readonly object[]): object {
    return this.reading.origins.list(this.path, entries);
  }

  /** An object that stands for what stands here. Members that are undefined are left out. */
  make(members: Record<string, Made | string | number | boolean | undefined>): object {
    return this.reading.origins.object(this.path, members);
  }

  /** Nobody asks for more: each other member has no place. Safe to call twice. */
  close(): void {
    if (!isObject(this.value)) return;
    for (const [name, value] of Object.entries(this.value)) {
      if (value === null || this.asked.has(name)) continue;
      this.asked.add(name);
      this.reading.lacks.push({ path: [...this.path, name], says: keyOnly(shownName(name)) });
    }
  }

  /** It is left out, if the client wishes so; else the request is refused. */
  lack(says: string): null {
    this.reading.lacks.push({ path: this.path, says });
    return null;
  }

  /** The request is refused, whatever the client wishes. */
  lackForGood(says: string): null {
    this.reading.lacks.push({ path: this.path, says, fixed: true });
    return null;
  }

  /** Throws RequestError 400; `says` is the end of a sentence that begins with the place. */
  refuse(says: string): never {
    const param = pathText(this.path);
    throw new RequestError('invalid_body', {
      ...(param !== '' && { param }),
      message: `${param || 'The body'} ${says}.`,
    });
  }
}
