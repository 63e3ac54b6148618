/** What a native request says in its body of the job, as headers: the body is the provider's. */
import { z } from 'zod';
import { RequestError } from '../../../shared/domain/errors.ts';
import { JOB_EVENTS } from '../../../shared/domain/webhooks/event-types.ts';
import type { Webhook } from '../../../shared/domain/webhooks/webhook.ts';
import type { Config } from '../../../shared/process/config/config.ts';
import type { WaitingCall } from '../../../shared/storage/jobs/accept-job.ts';
import { parseJson } from '../../http/body/parse-json.ts';
import type { ApiContext } from '../../http/context.ts';
import { partsOf } from '../../http/headers/header-list.ts';
import { deadlineSeconds, metadata, timeoutSeconds } from '../../intake/completion-body.ts';
import type { OnUnsupported } from '../../intake/support/lacks.ts';
import { takenWebhookUrl } from '../../intake/taken-webhook-url.ts';

export type GatewayOptions = {
  metadata: Record<string, string>;
  webhook: Webhook | null;
  timeoutMs: number | null;
  deadlineMs: number | null;
  /** What becomes of the job if the call that waits for it goes; null ends it unless it runs. */
  ifLeft: WaitingCall['ifLeft'];
  /** Of what the platform's account cannot do. */
  onUnsupported: OnUnsupported;
};

/** By its name, and what it takes in words. */
const HEADERS = {
  deadline: 'X-Gateway-Deadline-Seconds',
  timeout: 'X-Gateway-Timeout-Seconds',
  metadata: 'X-Gateway-Metadata',
  url: 'X-Gateway-Webhook-Url',
  events: 'X-Gateway-Webhook-Events',
  onDisconnect: 'X-Gateway-On-Disconnect',
  unsupported: 'X-Gateway-Unsupported',
} as const;
export const GATEWAY_HEADERS = Object.values(HEADERS);

const refuse = (param: string, message: string): RequestError => new RequestError('invalid_header', { param, message });

const secondsIn = (c: ApiContext, name: string, schema: z.ZodType<number>, most: number): number | null => {
  const text = c.req.header(name);
  if (text === undefined) return null;
  const parsed = /^\d{1,6}$/.test(text) ? schema.safeParse(Number(text)) : null;
  if (!parsed?.success) throw refuse(name, `${name} takes a whole number from 1 to ${most}.`);
  return parsed.data * 1_000;
};

const metadataIn = (c: ApiContext): Record<string, string> => {
  const text = c.req.header(HEADERS.metadata);
  if (text === undefined) return {};
  let value: unknown;
  try {
    // Node gives each byte as a sign of its own; those who send more than ASCII mean UTF-8.
    value = parseJson(Buffer.from(text, 'latin1'), HEADERS.metadata);
  } catch {
    value = undefined;
  }
  const parsed = metadata.safeParse(value);
  if (parsed.success) return parsed.data;
  throw refuse(
    HEADERS.metadata,
    `${HEADERS.metadata} takes a JSON object of at most 16 texts under names of at most 64 characters, without keys in it.`,
  );
};

/** Of the body and of the header, whose words count if both name one. Throws RequestError 400 if they are too many together. */
export const togetherMetadata = (
  ofBody: Record<string, string>,
  ofHeader: Record<string, string>,
): Record<string, string> => {
  const parsed = metadata.safeParse({ ...ofBody, ...ofHeader });
  if (parsed.success) return parsed.data;
  throw refuse(
    HEADERS.metadata,
    `metadata and ${HEADERS.metadata} may have at most 16 names together; leave some out.`,
  );
};

const eventsIn = (c: ApiContext): Webhook['events'] => {
  const text = c.req.header(HEADERS.events);
  if (text === undefined) return JOB_EVENTS;
  const events = z.array(z.enum(JOB_EVENTS)).min(1).max(JOB_EVENTS.length).safeParse(partsOf(text, ','));
  if (events.success) return events.data;
  throw refuse(HEADERS.events, `${HEADERS.events} takes one or more of ${JOB_EVENTS.join(', ')}, with commas between.`);
};

const onDisconnectIn = (c: ApiContext): GatewayOptions['ifLeft'] => {
  const text = c.req.header(HEADERS.onDisconnect);
  if (text === undefined || text === 'keep' || text === 'cancel') return text ?? null;
  throw refuse(
    HEADERS.onDisconnect,
    `${HEADERS.onDisconnect} takes keep or cancel; without it a job that nobody waits for any more ends unless it runs.`,
  );
};

const onUnsupportedIn = (c: ApiContext): OnUnsupported => {
  const text = c.req.header(HEADERS.unsupported) ?? 'reject';
  if (text === 'reject' || text === 'warn') return text;
  throw refuse(HEADERS.unsupported, `${HEADERS.unsupported} takes reject or warn.`);
};

/** Throws RequestError 400 for the first header that says nothing we know. */
export const gatewayOptions = (c: ApiContext, config: Pick<Config, 'production' | 'webhooks'>): GatewayOptions => {
  const url = c.req.header(HEADERS.url);
  const events = eventsIn(c);
  return {
    metadata: metadataIn(c),
    webhook: url === undefined ? null : { url: takenWebhookUrl(url, HEADERS.url, config), events },
    timeoutMs: secondsIn(c, HEADERS.timeout, timeoutSeconds, 600),
    deadlineMs: secondsIn(c, HEADERS.deadline, deadlineSeconds, 86_400),
    ifLeft: onDisconnectIn(c),
    onUnsupported: onUnsupportedIn(c),
  };
};
