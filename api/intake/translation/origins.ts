/** Where the things of a neutral form stood in the body that it was made of. */
import type { Path } from '../support/without.ts';

/** A value of the body, and where it stands. */
export class Place {
  readonly value: unknown;
  readonly path: Path;

  constructor(value: unknown, path: Path) {
    this.value = value;
    this.path = path;
  }
}

type Scalar = string | number | boolean | undefined;
/** By the names of an object or the places in a list: a place of the body, something made here, or a constant. */
type Parts = readonly (readonly [name: string | number, part: object | Scalar | null])[];

const isObject = (value: unknown): value is Record<string | number, unknown> =>
  typeof value === 'object' && value !== null;

export type Origins = {
  object: (path: Path, members: Record<string, object | Scalar | null>) => object;
  list: (path: Path, entries: readonly object[]) => object;
  /** Where in the body a path of `made` leads to. */
  of: (made: object, path: Path) => Path;
};

export const createOrigins = (): Origins => {
  /** By what was made. */
  const places = new WeakMap<object, Path>();
  const members = new WeakMap<object, Map<string | number, Path>>();

  const placeOf = (part: Parts[number][1]): Path | undefined => {
    if (part instanceof Place) return part.path;
    return isObject(part) ? places.get(part) : undefined;
  };
  const note = <T extends object>(made: T, path: Path, parts: Parts): T => {
    places.set(made, path);
    const known = parts.flatMap(([name, part]) => {
      const place = placeOf(part);
      return place ? [[name, place] as const] : [];
    });
    members.set(made, new Map(known));
    return made;
  };
  const contentOf = (part: Parts[number][1]): unknown => (part instanceof Place ? part.value : (part ?? undefined));

  return {
    object: (path, written) => {
      const parts = Object.entries(written);
      const values = parts.map(([name, part]) => [name, contentOf(part)] as const);
      return note(Object.fromEntries(values.filter(([, value]) => value !== undefined)), path, parts);
    },
    list: (path, entries) => note(entries.map(contentOf), path, [...entries.entries()]),
    of: (made, path) => {
      let at: unknown = made;
      let place = places.get(made) ?? [];
      for (const name of path) {
        place = (isObject(at) && members.get(at)?.get(name)) || [...place, name];
        at = isObject(at) ? at[name] : undefined;
      }
      return place;
    },
  };
};
