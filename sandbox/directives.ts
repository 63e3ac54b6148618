/**
 * Steering by hand. The last user message may say how its call shall go: from the word `sandbox:` on, `name=value` pairs, separated by
 * single spaces, up to the first word of another form. Example: `Hello! sandbox:status=429 retry-after=2 times=1`.
 *
 * | pair | effect |
 * |---|---|
 * | `status=429` | an error of this status (300–599) in the provider's own form |
 * | `retry-after=2` | with it, the header `Retry-After` in seconds |
 * | `fail=quota` | the provider's answer to an account without credit |
 * | `fail=reset` | the connection is reset before any answer |
 * | `fail=hang` | no answer ever comes |
 * | `fail=stall` | the answer stops half way, its connection stays open |
 * | `fail=cut` | the connection closes half way through the answer |
 * | `fail=html` | an HTML page that shows the request's headers, as a bad proxy does (200, or `status`) |
 * | `fail=bad-json` | half an answer, said to be a whole one |
 * | `fail=empty` | a 200 with an empty object, or without any event |
 * | `fail=error-in-200` | an error's body with status 200; usage is reported. A streamed answer ends with an error as its last event |
 * | `fail=no-usage` | an answer without usage |
 * | `times=2` | the above only for the first two calls with this text; the third succeeds, and the count starts anew |
 * | `delay=5000` | answers after exactly so many milliseconds |
 * | `cached=100` | so many input tokens more, which came from a cache |
 * | `cache-written=100` | so many input tokens more, which went to a cache |
 * | `pause=200` | so many milliseconds between the events of a streamed answer |
 * | `after=3` | the events of a streamed answer before `fail=stall`, `fail=cut` or `fail=error-in-200`; half of them by default |
 * | `finish=length` | the finish reason: `stop`, `length`, `content_filter` or `other` |
 */
import { z } from 'zod';
import { Refusal } from '../providers/stand-in/wire.ts';

export const FAILURES = [
  'quota',
  'reset',
  'hang',
  'stall',
  'cut',
  'html',
  'bad-json',
  'empty',
  'error-in-200',
  'no-usage',
] as const;
export type Failure = (typeof FAILURES)[number];

const whole = (max: number) => z.string().regex(/^\d+$/).transform(Number).pipe(z.number().max(max));

const directives = z.strictObject({
  status: whole(599).pipe(z.number().min(300)).optional(),
  'retry-after': whole(86_400).optional(),
  fail: z.enum(FAILURES).optional(),
  times: whole(1_000).optional(),
  delay: whole(3_600_000).optional(),
  pause: whole(600_000).optional(),
  after: whole(10_000).optional(),
  cached: whole(10_000_000_000).optional(),
  'cache-written': whole(1_000_000).optional(),
  finish: z.enum(['stop', 'length', 'content_filter', 'other']).optional(),
});
export type Directives = z.infer<typeof directives>;

/** The directives in a prompt, none if it holds none; throws a `Refusal` that names the first that does not exist or has a value that does not fit. */
export const parseDirectives = (prompt: string): Directives => {
  const steering = /\bsandbox:((?:[a-z][a-z-]*=[\w.-]+ ?)+)/.exec(prompt)?.[1];
  if (steering === undefined) return {};
  const pairs = steering
    .trim()
    .split(' ')
    .map((pair) => pair.split('=', 2));
  for (const [name = '', value] of pairs) {
    if (!Object.hasOwn(directives.shape, name)) throw refusal(`does not know the directive ${name}`);
    if (!directives.safeParse({ [name]: value }).success) throw refusal(`does not take this value of ${name}`);
  }
  return directives.parse(Object.fromEntries(pairs));
};

const refusal = (problem: string): Refusal =>
  new Refusal(400, `The sandbox ${problem}; docs/guides/trying-failures.md lists all.`);
