/** The requests that the bench sends: numbered, so that an answer, a provider call and a BullMQ job can be told to be of the same one. */

export const PLATFORM_KEY = 'bench-platform-key-0001';
export const TENANT = 'bench';
/** Of other tenants. */
export const NEIGHBOUR_KEYS = ['bench-platform-key-0002', 'bench-platform-key-0003'] as const;
export const BODY_BYTES = 600;

const FILLER = 'How does a queue keep its promises when the process that serves it dies? ';
const DIGITS = 6;

/** A body before and after its number. */
export type Template = { before: string; after: string };

const template = (fields: string, text: string): Template => ({
  before: `{${fields}"messages":[{"role":"user","content":"${text}#`,
  after: '"}]}',
});

/** A request of exactly BODY_BYTES; `fields` is JSON that ends in a comma. */
const filled = (fields: string, beginning = ''): Template => {
  const { before, after } = template(fields, beginning);
  const bytes = BODY_BYTES - Buffer.byteLength(before) - after.length - DIGITS;
  return template(fields, beginning + FILLER.repeat(10).slice(0, bytes));
};

export const ON_PLATFORM_ACCOUNT = filled('');
/** Its end is told to this URL. */
export const withWebhook = (url: string): Template => template(`"webhook":{"url":"${url}"},`, FILLER);
export const ON_USER_KEY = filled('"model":"gpt-5-mini",');

/** The sandbox quotes the beginning: with these letters of several bytes its result has RESULT_BYTES. */
export const SIZED_RESULT = filled('', `${'€'.repeat(50)}é`);
/** What the store keeps of a result of the sandbox to SIZED_RESULT. */
export const RESULT_BYTES = 500;

/** A call that lasts so long. */
export const callOf = (ms: number): Template => filled('', `sandbox:delay=${ms} `);
export const SHORT_CALL = callOf(20);

/** On a user's key, whose account answers 429 at once. */
export const THROTTLED_CALL = filled('"model":"gpt-5-mini",', 'sandbox:status=429 retry-after=5 ');

/** A call that the sandbox does not answer within the bench's time. */
export const LONG_CALL = template('', 'sandbox:delay=600000 ');

export const bodyOf = ({ before, after }: Template, number: number): string =>
  `${before}${String(number).padStart(DIGITS, '0')}${after}`;

/** The same as a line of a batch. */
export const lineOf = (template: Template, number: number): string =>
  `{"custom_id":"${number}","body":${bodyOf(template, number)}}\n`;

/** The number in a body, wherever it is; NaN in one that is not ours. */
export const numberIn = (body: unknown): number => Number(/#(\d{6})"/.exec(JSON.stringify(body))?.[1]);

export const userKey = (number: number): string => `sk-proj-bench${String(number).padStart(16, '0')}`;
