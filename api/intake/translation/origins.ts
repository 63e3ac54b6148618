/** Where the things of a neutral form stood in the body that it was made of. */
import type { Path } from '../support/without.ts';

/** A value of the body, and where it stands: under a name in another, or nowhere if it is the whole. */
export class Place {
  readonly value: unknown;
  protected readonly within: { outer: Place; name: string | number } | null;

  constructor(value: unknown, within: Place['within']) {
    this.value = value;
    this.within = within;
  }

  /** Made when it is asked for: only what is wrong is told by it. */
  get path(): Path {
    return this.within === null ? [] : [...this.within.outer.path, this.within.name];
  }
}

/** A place of the body, something made here, or a constant; null and undefined are left out. */
export type Part = object | string | number | boolean | null | undefined;

const isObject = (value: unknown): value is Record<string | number, unknown> =>
  typeof value === 'object' && value !== null;

const contentOf = (part: Part): unknown => (part instanceof Place ? part.value : (part ?? undefined));

export type Origins = {
  object: (place: Place, members: Readonly<Record<string, Part>>) => object;
  list: (place: Place, entries: readonly object[]) => object;
  /** Where in the body a path of `made` leads to. */
  of: (made: object, path: Path) => Path;
};

export const createOrigins = (): Origins => {
  /** By what was made: the place that it stands for, and what its parts were made of. */
  const origins = new WeakMap<object, { place: Place; parts: Readonly<Record<string | number, Part>> }>();

  const placeOf = (part: Part): Path | undefined => {
    if (part instanceof Place) return part.path;
    return isObject(part) ? origins.get(part)?.place.path : undefined;
  };

  return {
    object: (place, members) => {
      const made: Record<string, unknown> = {};
      for (const name of Object.keys(members)) {
        const content = contentOf(members[name]);
        if (content !== undefined) made[name] = content;
      }
      origins.set(made, { place, parts: members });
      return made;
    },
    list: (place, entries) => {
      const made = entries.map(contentOf);
      // A cast because a list is an object of its places.
      origins.set(made, { place, parts: entries as object as Record<number, object> });
      return made;
    },
    of: (made, path) => {
      let at: unknown = made;
      let place = origins.get(made)?.place.path ?? [];
      for (const name of path) {
        const part = isObject(at) ? origins.get(at)?.parts[name] : undefined;
        place = placeOf(part) ?? [...place, name];
        at = isObject(at) ? at[name] : undefined;
      }
      return place;
    },
  };
};
