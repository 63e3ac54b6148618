/** The two forms in which a batch is sent, and what each says besides its lines. */
import { z } from 'zod';
import { RequestError } from '../../../shared/domain/errors.ts';
import { BATCH_EVENTS } from '../../../shared/domain/webhooks/event-types.ts';
import type { Webhook } from '../../../shared/domain/webhooks/webhook.ts';
import { NAMED } from '../../../shared/domain/wire.ts';
import { explainUnknown, shownName } from '../../../shared/domain/wording/explain-issue.ts';
import { insteadOfField } from '../../../shared/domain/wording/foreign-names.ts';
import type { Config } from '../../../shared/process/config/config.ts';
import { parseJson } from '../../http/body/parse-json.ts';
import { parseOr } from '../../http/query/parse-or.ts';
import { listText, wholeNumber } from '../../http/query/read-query.ts';
import { metadata } from '../completion-body.ts';
import { takenWebhookUrl } from '../taken-webhook-url.ts';
import { batchLine } from './check-line.ts';
import { splitDocument } from './split-document.ts';
import { type LineLimits, type Splitter, splitLines } from './split-lines.ts';

const LONGEST_SECONDS = 604_800;
const DEFAULT_SECONDS = 86_400;

const onInvalid = z
  .enum(['reject', 'skip'])
  .default('reject')
  .describe('`reject`: one bad line refuses the batch. `skip`: bad lines are left out.');
const DEADLINE = 'Of the whole batch, from its acceptance. Then unfinished lines become `expired`.';
const events = z.array(z.enum(BATCH_EVENTS)).min(1).max(BATCH_EVENTS.length);

/** Of `application/x-ndjson`. */
export const batchQuery = z.strictObject({
  webhook_url: z.string().optional().describe('`https` on port 443 of a public host; told of the batch’s end.'),
  webhook_events: listText(BATCH_EVENTS)
    .optional()
    .describe(`Some of ${BATCH_EVENTS.join(', ')}, with commas; all when left out.`),
  deadline_seconds: wholeNumber(1, LONGEST_SECONDS).default(DEFAULT_SECONDS).describe(DEADLINE),
  on_invalid: onInvalid,
});

/** Of `application/json`, besides `requests`. */
const batchMembers = z.strictObject({
  metadata: metadata.default({}).describe('Comes back with the batch. Names have up to 64 characters.'),
  webhook: z
    .strictObject({
      url: z.string().describe('`https` on port 443 of a public host.'),
      events: events.optional().describe('All when left out.'),
    })
    .optional()
    .describe('Where to post the batch’s outcome, as a `BatchEvent`, and for which outcomes.'),
  deadline_seconds: z.int().min(1).max(LONGEST_SECONDS).default(DEFAULT_SECONDS).describe(DEADLINE),
  on_invalid: onInvalid,
});

/** The whole of it, as it is checked piece by piece. */
export const batchBody = batchMembers
  .extend({ requests: z.array(batchLine).min(1).describe('The lines.') })
  .register(NAMED, { id: 'BatchRequest' });

export type BatchOptions = {
  metadata: Record<string, string>;
  webhook: Webhook | null;
  /** From acceptance. */
  durationMs: number;
  onInvalid: 'reject' | 'skip';
};

export type BatchForm = {
  splitter: Splitter;
  /** Null while more may come. */
  knownOptions: () => BatchOptions | null;
  /** After the splitter's end; throws RequestError 400. */
  options: () => BatchOptions;
  name: 'ndjson' | 'json';
  /** What the request asks for outside its body, as text. */
  besides: string;
  /** What it asks for besides its lines, as far as it was read. */
  members: () => unknown;
};

type FormNeeds = { limits: LineLimits; config: Pick<Config, 'production' | 'webhooks'> };

/** Throws RequestError 400 where the query is not valid. */
export const ndjsonForm = (query: z.infer<typeof batchQuery>, { limits, config }: FormNeeds): BatchForm => {
  const { webhook_url, webhook_events, deadline_seconds, on_invalid } = query;
  if (webhook_url === undefined && webhook_events !== undefined) {
    throw new RequestError('invalid_query', {
      param: 'webhook_events',
      message: 'webhook_events needs webhook_url.',
    });
  }
  const options: BatchOptions = {
    metadata: {},
    webhook:
      webhook_url === undefined
        ? null
        : { url: takenWebhookUrl(webhook_url, 'webhook_url', config), events: webhook_events ?? BATCH_EVENTS },
    durationMs: deadline_seconds * 1_000,
    onInvalid: on_invalid,
  };
  return {
    splitter: splitLines(limits),
    knownOptions: () => options,
    options: () => options,
    name: 'ndjson',
    besides: JSON.stringify(options),
    members: () => options,
  };
};

/** What stands besides `requests` may also come behind it. */
export const jsonForm = ({ limits, config }: FormNeeds): BatchForm => {
  const members: Record<string, unknown> = {};
  const onMember = (text: Buffer): void => {
    const parsed = parseJson(Buffer.concat([Buffer.from('{'), text, Buffer.from('}')]), 'The body');
    // A cast because braces around a member are an object.
    const [[name, value] = ['', undefined]] = Object.entries(parsed as object);
    if (value === undefined) throw new RequestError('invalid_json');
    if (!Object.hasOwn(batchMembers.shape, name) || Object.hasOwn(members, name)) throw unwelcome(name);
    members[name] = value;
  };
  return {
    splitter: splitDocument({ ...limits, onMember }),
    knownOptions: () => null,
    options: () => {
      const { webhook, ...rest } = parseOr('invalid_body', batchMembers, members);
      return {
        metadata: rest.metadata,
        webhook: webhook
          ? { url: takenWebhookUrl(webhook.url, 'webhook.url', config), events: webhook.events ?? BATCH_EVENTS }
          : null,
        durationMs: rest.deadline_seconds * 1_000,
        onInvalid: rest.on_invalid,
      };
    },
    name: 'json',
    besides: '',
    members: () => members,
  };
};

const unwelcome = (name: string): RequestError => {
  const param = shownName(name);
  if (name === 'requests') return new RequestError('invalid_body', { param, message: 'requests must be an array.' });
  const message = Object.hasOwn(batchMembers.shape, name)
    ? `${param} stands there twice.`
    : explainUnknown([{ param, instead: insteadOfField(name) }]);
  return new RequestError('invalid_body', { param, message });
};
