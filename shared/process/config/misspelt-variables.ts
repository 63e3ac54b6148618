/** Finds variables that nothing reads but somebody may have meant: a misspelt limit is no limit, and nothing says so. */
import leven from 'leven';

/** `meant`: what is read and closest to it; several that are equally close. */
export type Misspelt = { variable: string; meant: string[] };

/** Letters that may be wrong in a name of this length: a swap of two counts as two. */
const lettersWrong = (name: string): number => (name.length < 8 ? 1 : 2);

const inOrder = (name: string): string => name.split('_').toSorted().join('_');

/** Letters that differ, whatever the order of the words. */
const distance = (name: string, known: string): number =>
  Math.min(leven(name, known), leven(inOrder(name), inOrder(known)));

/** Words that both have, such as `JOB_TIMEOUT_MS` and `JOB_TIMEOUT_SECONDS`. */
const areAlmostTheSameWords = (name: string, known: string): boolean => {
  const [ofName, ofKnown] = [new Set(name.split('_')), new Set(known.split('_'))];
  const shared = [...ofName].filter((word) => ofKnown.has(word)).length;
  return shared >= 2 && ofName.size - shared <= 1 && ofKnown.size - shared <= 1;
};

const isClose = (name: string, known: string): boolean =>
  distance(name, known) <= lettersWrong(known) || areAlmostTheSameWords(name, known);

/**
 * The variables among `given` that are none of `read` and none of `others`, but close to some that are read.
 * `others` are names that mean something to somebody else, such as an SDK.
 */
export const misspeltVariables = (
  given: Iterable<string>,
  { read, others }: { read: readonly string[]; others: (name: string) => boolean },
): Misspelt[] =>
  [...given].flatMap((variable) => {
    if (read.includes(variable) || others(variable)) return [];
    const name = variable.toUpperCase();
    const close = read.filter((known) => isClose(name, known));
    const least = Math.min(...close.map((known) => distance(name, known)));
    const meant = close.filter((known) => distance(name, known) === least);
    return meant.length > 0 ? [{ variable, meant }] : [];
  });
