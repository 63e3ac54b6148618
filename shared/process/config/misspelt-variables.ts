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

/** What people end a name with, each in their own way. */
const UNITS: ReadonlySet<string> = new Set([
  ...['SECONDS', 'SECOND', 'SECS', 'SEC', 'S', 'MILLISECONDS', 'MILLIS', 'MS', 'MINUTES', 'MINUTE', 'MINS', 'MIN'],
  ...['HOURS', 'HOUR', 'DAYS', 'DAY', 'BYTES', 'KB', 'KIB', 'MB', 'MIB', 'GB', 'GIB', 'USD', 'EUR', 'DOLLARS', 'COUNT'],
]);

/** The words in front of the unit. */
const stemOf = (name: string): string[] => {
  const words = name.split('_');
  return UNITS.has(words.at(-1) ?? '') ? words.slice(0, -1) : words;
};

/** First words that hardly anybody else's names have. */
const OURS: ReadonlySet<string> = new Set(['BEDROCK', 'DRAIN', 'SANDBOX', 'UNREADY', 'WEBHOOK']);

/** How many words both begin with, the units left out. */
const wordsShared = (name: string, known: string): number => {
  const [ofName, ofKnown] = [stemOf(name), stemOf(known)];
  const differs = ofName.findIndex((word, at) => word !== ofKnown[at]);
  return differs < 0 ? ofName.length : differs;
};

/** The same but for the unit, or with so many of the first words that they are no accident: DRAIN_SECS, ADMIN_TOKEN_FILE. */
const beginsLike = (name: string, known: string): boolean => {
  const shared = wordsShared(name, known);
  if (shared !== 1) return shared > 1;
  return OURS.has(name.split('_')[0] ?? '') || (stemOf(name).length === 1 && stemOf(known).length === 1);
};

/** More than any name has words, and more letters than may be wrong. */
const MAX_WORDS = 100;

/** The less the closer; null: not close. What differs in letters is closer than what differs in words. */
const farness = (name: string, known: string): number | null => {
  const letters = distance(name, known);
  if (letters <= lettersWrong(known)) return letters;
  if (!areAlmostTheSameWords(name, known) && !beginsLike(name, known)) return null;
  return MAX_WORDS - wordsShared(name, known);
};

/** What Kubernetes and Docker set for a service or a container beside this one, whatever that is called. */
const isOfNeighbour = (name: string): boolean =>
  /_SERVICE_(?:HOST|PORT)(?:_|$)|_PORT_\d+_(?:TCP|UDP)(?:_|$)|_ENV_/.test(name);

/**
 * The variables among `given` that are none of `read` and none of `others`, but close to some that are read.
 * `others` are names that mean something to somebody else, such as an SDK.
 */
export const misspeltVariables = (
  given: Iterable<string>,
  { read, others }: { read: readonly string[]; others: (name: string) => boolean },
): Misspelt[] =>
  [...given].flatMap((variable) => {
    if (read.includes(variable) || others(variable) || isOfNeighbour(variable)) return [];
    const name = variable.toUpperCase();
    const close = read.flatMap((known) => {
      const far = farness(name, known);
      return far === null ? [] : [{ known, far }];
    });
    const least = Math.min(...close.map(({ far }) => far));
    const meant = close.filter(({ far }) => far === least).map(({ known }) => known);
    return meant.length > 0 ? [{ variable, meant }] : [];
  });
