/**
 * A request with the answer that a release gave to it, and how far another release's answer must
 * be the same.
 */

export type Exchange = {
  /** As the OpenAPI document names it: `GET /v1/jobs/{id}`. */
  call: string;
  /**
   * Whose key goes along: a tenant of the configuration, `operator`, a secret that an answer held,
   * or nobody's.
   */
  as: string | null;
  path: string;
  headers?: Record<string, string>;
  body?: unknown;
  /** The request is sent until it is answered like this: what it asks about takes its time. */
  waits?: true;
  answer: RecordedAnswer;
};

/**
 * `headers`: those that the document promises. `body`: its lines, if it is NDJSON; null, if it has
 * no form to compare.
 */
export type RecordedAnswer = { status: number; headers: Record<string, string>; body: unknown };

/**
 * What stands in a recording for a value that each run has of its own, by the form of the value.
 * The first that fits is it.
 */
const FORMS = {
  secret: /gk_[0-9a-z]{26}_[0-9a-z]+/,
  signing: /whsec_[A-Za-z0-9+/=]+/,
  job: /job_[0-9a-z]{34}/,
  batch: /batch_[0-9a-z]{34}/,
  tenant: /ten_[0-9a-z]{26}/,
  key: /key_[0-9a-z]{26}/,
  event: /evt_[0-9a-z]{26,34}/,
  request: /req_[0-9a-z]{26}/,
  time: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/,
  day: /\d{4}-\d\d-\d\d/,
  // Named by whoever meets them: their form says nothing.
  receiver: /http:\/\/127\.0\.0\.1:\d+/,
  cursor: /[^"]+/,
  etag: /(?:W\/)?"[^"]*"/,
} satisfies Record<string, RegExp>;
type Form = keyof typeof FORMS;
const isForm = (name: string): name is Form => name in FORMS;
/** Times go on: each is one of its own. */
const WITHOUT_NUMBER: readonly Form[] = ['time', 'day'];
const BY_NAME_ONLY: readonly Form[] = ['receiver', 'cursor', 'etag'];
const FOUND = new RegExp(
  Object.entries(FORMS)
    .filter(([name]) => !BY_NAME_ONLY.some((other) => other === name))
    .map(([name, form]) => `(?<${name}>${form.source})`)
    .join('|'),
  'g',
);
const PLACEHOLDER = /<([a-z]+)(?: \d+)?>/g;
/** A number, or a text without a form, that two runs of one release do not agree on. */
const ANY = { number: '<any number>', string: '<any text>' } as const;

/**
 * Members that are for people, or say how much there happens to be at the time, or what it costs
 * at the day's prices.
 */
const OF_CHANCE = [
  'message',
  'cost_usd',
  'price_version',
  'duration_ms',
  'position',
  'wait_reason',
  // Of what is sealed, a release stores more.
  'stored_bytes',
  'waiting_jobs',
  'waiting_lines',
  'in_flight',
  'jobs',
  'batches',
  'lines',
  'unfinished',
  'handed_off',
  'delayed',
  'parked_lanes',
  'worker_slots',
  'ratelimit',
  'retry-after',
];

const mapStrings = (value: unknown, map: (text: string) => string): unknown => {
  if (typeof value === 'string') return map(value);
  if (Array.isArray(value)) return value.map((each) => mapStrings(each, map));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, mapStrings(each, map)]));
};

/** A recording in which the values of such members stand for any of their type. */
export const withoutChance = <T>(recorded: T): T => {
  const free = (name: string, value: unknown): unknown => {
    if (!OF_CHANCE.includes(name)) return withoutChance(value);
    if (typeof value === 'number') return ANY.number;
    return typeof value === 'string' ? ANY.string : withoutChance(value);
  };
  // The casts: the form stays, but for numbers that a text stands for.
  if (Array.isArray(recorded)) return recorded.map((each) => withoutChance(each) as unknown) as T;
  if (typeof recorded !== 'object' || recorded === null) return recorded;
  return Object.fromEntries(Object.entries(recorded).map(([name, each]) => [name, free(name, each)])) as T;
};

/** Where lists go on, in an answer. */
export const cursorsIn = (body: unknown): string[] => {
  if (Array.isArray(body)) return body.flatMap(cursorsIn);
  if (typeof body !== 'object' || body === null) return [];
  return Object.entries(body).flatMap(([name, each]) =>
    (name === 'cursor' || name === 'next_cursor') && typeof each === 'string' ? [each] : cursorsIn(each),
  );
};

/** The names that one run has for its values, the same value always the same. */
export const createNames = () => {
  const names = new Map<string, string>();
  const counts = new Map<Form, number>();
  const name = (form: Form, value: string): string => {
    if (WITHOUT_NUMBER.includes(form)) return `<${form}>`;
    const count = (counts.get(form) ?? 0) + (names.has(value) ? 0 : 1);
    const placeholder = names.get(value) ?? `<${form} ${count}>`;
    if (!names.has(value)) counts.set(form, count);
    names.set(value, placeholder);
    return placeholder;
  };
  const known = (text: string): string =>
    [...names].reduce((named, [value, placeholder]) => named.replaceAll(value, placeholder), text);
  const found = (text: string): string =>
    known(text).replace(FOUND, (value, ...rest) => {
      // The last argument is the object of the named groups.
      const groups = rest.at(-1) as Record<string, string | undefined>;
      const form = Object.keys(groups).find((each) => groups[each] !== undefined);
      return form !== undefined && isForm(form) ? name(form, value) : value;
    });
  // The casts: only texts are changed.
  return {
    name,
    /** With the names of values that were met before. */
    known: <T>(value: T): T => mapStrings(value, known) as T,
    /** With names for all values that have a form. */
    all: <T>(value: T): T => mapStrings(value, found) as T,
  };
};

/**
 * What two recordings of one release have in common; a value that they do not agree on stands for
 * any of its type.
 */
export const agreed = (one: unknown, other: unknown): unknown => {
  if (Array.isArray(one) && Array.isArray(other)) {
    if (one.length !== other.length)
      throw new Error(`${JSON.stringify(one)} is not as long as ${JSON.stringify(other)}`);
    return one.map((each, index) => agreed(each, other[index]));
  }
  if (typeof one === 'object' && one !== null && typeof other === 'object' && other !== null) {
    const theirs = new Map(Object.entries(other));
    return Object.fromEntries(Object.entries(one).map(([name, each]) => [name, agreed(each, theirs.get(name))]));
  }
  if (Object.is(one, other)) return one;
  if (typeof one === 'number' && typeof other === 'number') return ANY.number;
  if (typeof one === 'string' && typeof other === 'string') return ANY.string;
  throw new Error(`${JSON.stringify(one)} and ${JSON.stringify(other)} are not of one type`);
};

/** The values of the run that answers now, for the placeholders of a recording. */
export type Bound = Map<string, string>;

/** A recorded request as it is sent in this run. */
export const fill = <T>(recorded: T, bound: Bound): T =>
  // The cast: only texts are changed.
  mapStrings(recorded, (text) =>
    text.replace(PLACEHOLDER, (placeholder, form: string) => {
      if (form === 'day') return new Date().toISOString().slice(0, 10);
      if (form === 'time') return new Date().toISOString();
      const value = bound.get(placeholder);
      if (value === undefined) throw new Error(`${placeholder} is in no answer before`);
      return value;
    }),
  ) as T;

/**
 * What is lost of a recorded value in what is answered now, as sentences; binds what it meets for
 * the first time.
 */
export const losses = (recorded: unknown, now: unknown, bound: Bound, place = 'body'): string[] => {
  const lost = (): string[] => [`${place} was ${JSON.stringify(recorded)} and is ${JSON.stringify(now)}`];
  if (recorded === ANY.number) return typeof now === 'number' ? [] : lost();
  if (recorded === ANY.string) return typeof now === 'string' ? [] : lost();
  if (typeof recorded === 'string') return typeof now === 'string' && isSameText(recorded, now, bound) ? [] : lost();
  if (Array.isArray(recorded)) {
    if (!Array.isArray(now)) return lost();
    // A list of words, such as scopes, may grow.
    if (recorded.every((each) => typeof each === 'string') && recorded.length > 0)
      return recorded.every((each) => now.some((other) => losses(each, other, bound).length === 0)) ? [] : lost();
    if (now.length !== recorded.length) return lost();
    return recorded.flatMap((each, index) => losses(each, now[index], bound, `${place}[${index}]`));
  }
  if (typeof recorded === 'object' && recorded !== null) {
    if (typeof now !== 'object' || now === null) return lost();
    const theirs = new Map(Object.entries(now));
    return Object.entries(recorded).flatMap(([name, each]) =>
      losses(each, theirs.get(name), bound, `${place}.${name}`),
    );
  }
  return Object.is(recorded, now) ? [] : lost();
};

const literally = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);

const isSameText = (recorded: string, now: string, bound: Bound): boolean => {
  const groups: string[] = [];
  const pattern = recorded
    .split(/(<[a-z]+(?: \d+)?>)/)
    .map((part) => {
      const form = /^<([a-z]+)(?: \d+)?>$/.exec(part)?.[1];
      if (form === undefined || !isForm(form)) return literally(part);
      const known = bound.get(part);
      if (known !== undefined) return literally(known);
      groups.push(part);
      return `(${FORMS[form].source})`;
    })
    .join('');
  const found = new RegExp(`^${pattern}$`, 's').exec(now);
  if (!found) return false;
  for (const [index, part] of groups.entries()) if (part.includes(' ')) bound.set(part, found[index + 1] ?? '');
  return true;
};
