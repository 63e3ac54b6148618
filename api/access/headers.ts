/** The headers of requests and answers, as the document describes them. */
import { USER_PROVIDERS } from '../../providers/catalogue.ts';

type HeaderRow = { description: string; schema: object; required?: true };

const text = { type: 'string' };
const seconds = { type: 'integer', minimum: 1 };

export const REQUEST_HEADERS = {
  'X-Request-Id': {
    description: 'Comes back on the answer, in errors and in the log; replaced where it has another form.',
    schema: { type: 'string', pattern: '^[A-Za-z0-9._-]{1,128}$' },
  },
  'X-User-API-Key': {
    description: 'The end user’s own provider key. Such a request never runs on the platform’s account.',
    schema: { type: 'string', minLength: 16, maxLength: 400 },
  },
  'X-User-Provider': {
    description: 'Whose key it is; always with X-User-API-Key.',
    schema: { enum: USER_PROVIDERS },
  },
  'Idempotency-Key': {
    description: 'The same key with the same request gives the same answer’s job again, for 24 hours.',
    schema: { type: 'string', pattern: '^[ -~]{1,255}$' },
  },
  Prefer: {
    description:
      '`wait=N`: answers with the finished job if it ends within so many seconds; `MAX_WAIT_SECONDS` (50 unless set) bounds it. `respond-async`: answers with the job when it is accepted.',
    schema: { type: 'string', examples: ['wait=10', 'respond-async'] },
  },
  traceparent: {
    description: 'W3C trace context, which goes on to the provider; one that is not valid counts as absent.',
    schema: { type: 'string', pattern: '^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$' },
  },
  'X-Gateway-Deadline-Seconds': {
    description: 'Of the whole job, from its acceptance: `deadline_seconds` of a native request.',
    schema: { type: 'integer', minimum: 1, maximum: 86_400 },
  },
  'X-Gateway-Timeout-Seconds': {
    description: 'Of one call to the provider: `timeout_seconds` of a native request.',
    schema: { type: 'integer', minimum: 1, maximum: 600 },
  },
  'X-Gateway-Metadata': {
    description: 'Comes back with the job: a JSON object, as `metadata` of a native request.',
    schema: { type: 'string', examples: ['{"order":"42"}'] },
  },
  'X-Gateway-Webhook-Url': { description: 'Where to post the outcome.', schema: text },
  'X-Gateway-Webhook-Events': {
    description: 'For which outcomes, with commas between; all if it is left out.',
    schema: { type: 'string', examples: ['job.completed,job.failed'] },
  },
  'X-Gateway-On-Disconnect': {
    description:
      'What becomes of the job if nobody waits for it any more: `keep`, or `cancel` also if it runs. Without it, it ends unless it runs.',
    schema: { enum: ['keep', 'cancel'] },
  },
  'X-Gateway-Unsupported': {
    description:
      'What becomes of a field that the platform’s account does not take: `reject` (default), or `warn` to leave it out with one of the job’s `warnings`.',
    schema: { enum: ['reject', 'warn'] },
  },
  'anthropic-version': { description: 'Goes to the provider as it is.', schema: text },
  'anthropic-beta': { description: 'Goes to the provider as it is.', schema: text },
  'openai-beta': { description: 'Goes to the provider as it is.', schema: text },
  'openai-organization': { description: 'Goes to the provider as it is.', schema: text },
  'openai-project': { description: 'Goes to the provider as it is.', schema: text },
  'If-None-Match': { description: 'The ETag of an earlier answer.', schema: text },
} as const satisfies Record<string, HeaderRow>;

const RESPONSE_HEADERS = {
  'X-Request-Id': { description: 'The id of the request.', schema: text, required: true },
  Location: { description: 'Where the thing can be read.', schema: text },
  ETag: { description: 'Of a job or batch: weak, of id, status and progress.', schema: text },
  'Retry-After': { description: 'When to ask again.', schema: seconds },
  'Preference-Applied': { description: 'The `wait=N` that was applied: what was asked for, or less.', schema: text },
  Vary: { description: 'What the form of the answer depends on.', schema: text },
  'Content-Encoding': { description: '`gzip` where the client takes it.', schema: text },
  'Content-Disposition': { description: 'The name to save it under.', schema: text },
  'X-Batch-Lines-Ended': {
    description:
      'How many lines of the batch had ended when the answer began. An answer from the beginning that has fewer was cut short: go on after the last `cursor`.',
    schema: { type: 'integer', minimum: 0 },
  },
  'x-should-retry': { description: 'Whether the provider’s SDK is to try again by itself.', schema: text },
  'request-id': { description: 'The same as `X-Request-Id`, under the name that Anthropic’s SDK reads.', schema: text },
  'X-Gateway-Job-Id': { description: 'The job that answers this call.', schema: text },
  'X-Gateway-Joined': {
    description: '`true` if the request was sent again, and waits for the job that it made before.',
    schema: text,
  },
  'openai-processing-ms': { description: 'From the job’s acceptance to its end.', schema: text },
  'Idempotency-Replayed': { description: '`true` where the job is that of an earlier request.', schema: text },
  'RateLimit-Policy': {
    description: 'The requests that may be accepted in a minute: `"requests";q=600;w=60`.',
    schema: text,
  },
  RateLimit: {
    description: '`"requests";r=599;t=1`: `r` requests would be accepted now, and in `t` seconds all of them.',
    schema: text,
  },
} as const satisfies Record<string, HeaderRow>;

export const RATE_HEADERS = ['RateLimit-Policy', 'RateLimit'] as const;

export type RequestHeader = keyof typeof REQUEST_HEADERS;
export type ResponseHeader = keyof typeof RESPONSE_HEADERS;

/** As a document describes them. */
export const responseHeaders = (names: readonly ResponseHeader[]): Record<string, Record<string, unknown>> =>
  Object.fromEntries(names.map((name) => [name, RESPONSE_HEADERS[name]]));
