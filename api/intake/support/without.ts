/** Values without one of their parts; what is not on the way to it stays the same object. */

export type Path = readonly (string | number)[];

const isEmpty = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.keys(value).length === 0;

/** `value` without what stands at the path; null if that leaves a list empty. An object that is left empty goes too. */
export const without = (value: unknown, [first, ...rest]: Path): unknown => {
  if (Array.isArray(value)) {
    const index = Number(first);
    if (rest.length > 0) {
      const inner = without(value[index], rest);
      return inner === null ? null : value.with(index, inner);
    }
    return value.length === 1 ? null : value.toSpliced(index, 1);
  }
  // A cast because a path leads through lists and objects only.
  const { [String(first)]: inner, ...others } = value as Record<string, unknown>;
  const left = rest.length > 0 ? without(inner, rest) : undefined;
  if (left === null) return null;
  return left === undefined || isEmpty(left) ? others : { ...others, [String(first)]: left };
};
