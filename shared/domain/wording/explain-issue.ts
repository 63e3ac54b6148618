/** What zod found, in our own words: its own would echo names and values that the client sent. */
import type { z } from 'zod';
import { insteadOfField } from './foreign-names.ts';

const SAFE_NAME = /^[A-Za-z_]{1,32}$/;

/** A name that the client made up may be a secret in the wrong place: only plain ones are shown. */
export const shownName = (name: PropertyKey): string =>
  SAFE_NAME.test(String(name)) ? String(name) : '(name not shown)';

/** Where in a value something stands, as clients write it: `messages[0].content`. */
export const pathText = (path: readonly PropertyKey[]): string =>
  path.reduce<string>(
    (text, part) =>
      typeof part === 'number' ? `${text}[${part}]` : text === '' ? shownName(part) : `${text}.${shownName(part)}`,
    '',
  );

type Issue = z.core.$ZodIssue;

const TYPES: Record<string, string> = {
  array: 'an array',
  int: 'a whole number',
  number: 'a number',
  object: 'an object',
  record: 'an object',
  string: 'a string',
};
const typeText = (expected: string): string => TYPES[expected] ?? `of type ${expected}`;

const UNITS: Record<string, string> = { string: ' characters', array: ' entries' };
const limitText = ({ origin }: { origin: string }, limit: number | bigint, side: string): string =>
  origin in UNITS ? `must have ${limit} or ${side}${UNITS[origin]}` : `must be ${limit} or ${side}`;

/** Of an object that is of one form or another by one of its members. */
const explainKind = (input: unknown, member: string | undefined, options: readonly unknown[]): string => {
  const given = typeof input === 'object' && input !== null ? Object.entries(input) : [];
  return given.some(([name]) => name === member) ? `must be one of ${options.join(', ')}` : 'is required';
};

/** What is wrong, as the end of a sentence that begins with the name. */
const explain = (issue: Issue): string => {
  if (issue.input === undefined) return 'is required';
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${typeText(issue.expected)}`;
    case 'invalid_union':
      if ('options' in issue) return explainKind(issue.input, issue.discriminator, issue.options ?? []);
      return `must be ${issue.errors.flatMap(([first]) => (first?.code === 'invalid_type' ? typeText(first.expected) : [])).join(' or ')}`;
    case 'too_small':
      return limitText(issue, issue.minimum, 'more');
    case 'too_big':
      return limitText(issue, issue.maximum, issue.origin in UNITS ? 'fewer' : 'less');
    case 'invalid_value':
      return `must be one of ${issue.values.map(String).join(', ')}`;
    case 'invalid_key':
      return `has a name that ${issue.issues.slice(0, 1).map(explain).join('')}`;
    case 'invalid_format':
      return issue.format === 'date'
        ? 'must be a date such as 2026-01-31'
        : `must match ${issue.pattern ?? issue.format}`;
    case 'custom':
      return issue.message;
    default:
      return 'does not have the documented form';
  }
};

/** Of a union's forms the one that came furthest says most; none of them came anywhere where each wanted another type. */
const deepest = (issue: Issue): Issue => {
  if (issue.code !== 'invalid_union') return issue;
  const [furthest] = issue.errors
    .flat()
    .map(deepest)
    .filter(({ code, path }) => code !== 'invalid_type' || path.length > 0)
    .toSorted((a, b) => b.path.length - a.path.length);
  return furthest ? { ...furthest, path: [...issue.path, ...furthest.path] } : issue;
};

/** So many unknown names are told. */
const MAX_UNKNOWN = 8;

type Unknown = { param: string; instead: string | null };

const unknownIn = (issues: readonly Issue[], nameOf: NameOf): Unknown[] =>
  issues
    .flatMap((issue) =>
      issue.code === 'unrecognized_keys'
        ? issue.keys.slice(0, MAX_UNKNOWN + 1).map((name) => ({ path: [...issue.path, name], name }))
        : [],
    )
    .slice(0, MAX_UNKNOWN + 1)
    .map(({ path, name }) => ({ param: nameOf(path), instead: insteadOfField(name) }));

/** That names are not known, all at once, and what to send instead of each. */
export const explainUnknown = (unknown: readonly Unknown[]): string => {
  const [first] = unknown;
  if (first && unknown.length === 1) return `${first.param} is not known here; ${first.instead ?? 'leave it out'}.`;
  const listed = unknown
    .slice(0, MAX_UNKNOWN)
    .map(({ param, instead }) => (instead === null ? param : `${param} (${instead})`));
  return `Fields that are not known here: ${[...listed, ...(unknown.length > MAX_UNKNOWN ? ['and more'] : [])].join(', ')}; leave out what has no other form.`;
};

/** What the client calls the place that a path leads to. */
export type NameOf = (path: readonly PropertyKey[]) => string;

/**
 * The first thing that is wrong, in a sentence, and the path to it, '' for the value as a whole, which `what` names; beside it all names that are not known.
 * Wants issues that were found with `reportInput`.
 */
export const explainIssue = (
  issues: readonly Issue[],
  what: string,
  nameOf: NameOf = pathText,
): { param: string; message: string } => {
  const [first] = issues;
  if (first === undefined) return { param: '', message: `${what} does not have the documented form.` };
  const issue = deepest(first);
  const unknown = unknownIn([issue, ...issues.slice(1)], nameOf);
  const told = unknown.length === 0 ? [] : [explainUnknown(unknown)];
  if (issue.code === 'unrecognized_keys') return { param: unknown[0]?.param ?? '', message: told.join(' ') };
  const param = nameOf(issue.path);
  return { param, message: [`${param === '' ? what : param} ${explain(issue)}.`, ...told].join(' ') };
};
