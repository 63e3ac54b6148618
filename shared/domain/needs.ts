/** What a job may need that not every release's worker can do. One that lacks something hands the job back untouched. */
import { FOREIGN_FORMATS } from '../../providers/manifest.ts';
import type { CompletionRequest } from './completion.ts';

/** Reading bodies in pieces, sealed ones, and those that are no JSON of our own. */
export const STORED_BODIES = 'bodies';

/** Giving an answer out as it comes. */
export const STREAMS = 'streams';

/** `requests/2`: tools, images, files and whatever else a request can have beside texts and the first six fields. */
export const ABILITIES = [
  'requests/2',
  STORED_BODIES,
  STREAMS,
  ...FOREIGN_FORMATS,
] as const satisfies readonly string[];
export type Ability = (typeof ABILITIES)[number];

/** What workers of every release know. */
const FIRST_FIELDS: ReadonlySet<string> = new Set(['model', 'messages', 'max_tokens', 'temperature', 'top_p', 'stop']);
const FIRST_ROLES: ReadonlySet<string> = new Set(['system', 'user', 'assistant']);
const FIRST_MEMBERS: ReadonlySet<string> = new Set(['role', 'content']);
const FIRST_PART: ReadonlySet<string> = new Set(['type', 'text']);

const hasOnly = (value: object, names: ReadonlySet<string>): boolean =>
  Object.entries(value).every(([name, member]) => member === undefined || names.has(name));

const isFirstForm = (request: CompletionRequest): boolean =>
  hasOnly(request, FIRST_FIELDS) &&
  request.messages.every(
    (message) =>
      FIRST_ROLES.has(message.role) &&
      hasOnly(message, FIRST_MEMBERS) &&
      (typeof message.content === 'string' || (message.content ?? []).every((part) => hasOnly(part, FIRST_PART))),
  );

/** What a worker must be able to do to run the request as it is meant. */
export const needsOf = (request: CompletionRequest): Ability[] => (isFirstForm(request) ? [] : ['requests/2']);
