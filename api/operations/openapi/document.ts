/** The OpenAPI 3.1 document, generated from the schemas that check requests and describe answers. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { USER_PROVIDERS } from '../../../providers/catalogue.ts';
import { message } from '../../../shared/domain/conversation/messages.ts';
import { batchEvent, jobEvent } from '../../../shared/domain/events/schema.ts';
import { SCOPES } from '../../../shared/domain/tenants/caller.ts';
import { anyOf } from '../../../shared/domain/wording/any-of.ts';
import type { AnyOperation } from '../../access/operation.ts';
import { OWN_WORDS } from '../../http/error-form.ts';
import { describeOperation } from './describe-operation.ts';
import type { Document, Json } from './form.ts';
import { formsIn, ref, schemasOf } from './schemas.ts';
import { TAGS, tagOf } from './tags.ts';

const { version: VERSION } = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')));

/** A route's path as documents write it: `/v1/jobs/{id}`. */
export const documentPath = (path: string): string => path.replace(/:(\w+)(?:\{[^}]*\})?/g, '{$1}');

/** `isShown`: which calls there are where the document is read. */
export const createDocument = (
  operations: readonly AnyOperation[],
  isShown: (operation: AnyOperation) => boolean,
): Document => {
  const shown = operations.filter(isShown);
  const paths: Document['paths'] = {};
  for (const each of shown) {
    const place = documentPath(each.path);
    paths[place] = { ...paths[place], [each.method.toLowerCase()]: describeOperation(each) };
  }
  const bodies = shown.flatMap(({ body }) => (body?.line ? [body.schema, body.line] : body ? [body.schema] : []));
  const refusalForms = new Set(
    [OWN_WORDS, ...shown.flatMap(({ refusals }) => refusals ?? [])].map(({ schema }) => schema),
  );
  const answers = operations.flatMap((each) => Object.values(each.answers)).flatMap(({ schema }) => schema ?? []);
  return {
    openapi: '3.1.1',
    info: {
      title: 'LLM gateway',
      version: VERSION,
      description: `A queue in front of large language models: a completion is accepted as a job, and its answer is fetched with the job’s id. Every call under \`/v1\` needs a platform key in \`X-API-Key\`. With a user’s own provider key in \`X-User-API-Key\`, and ${anyOf(USER_PROVIDERS.map((name) => `\`${name}\``))} in \`X-User-Provider\`, it runs on that key; without them on the platform’s account. Times are RFC 3339 in UTC, money is US dollars.`,
    },
    tags: TAGS.filter(({ name }) => shown.some(({ path }) => tagOf(path) === name)),
    paths,
    webhooks: { job: eventOf(jobEvent), batch: eventOf(batchEvent) },
    components: {
      schemas: schemasOf([message, ...bodies, ...answers.flatMap(formsIn), ...refusalForms, jobEvent, batchEvent]),
      securitySchemes: {
        platformKey: {
          type: 'apiKey',
          in: 'header',
          name: 'X-API-Key',
          description: `A platform key, which names the tenant. Scopes: ${SCOPES.join(', ')}.`,
        },
        platformKeyAsBearer: { type: 'http', scheme: 'bearer', description: 'The same key.' },
        ...(shown.some(({ access }) => access === 'operator') && {
          adminToken: { type: 'http', scheme: 'bearer', description: 'ADMIN_TOKEN.' },
        }),
      },
    },
  };
};

/** What is posted to the URL of a job's or batch's webhook. */
const eventOf = (event: z.ZodType): { post: Json } => ({
  post: {
    summary: 'The outcome, at least once; signed in `webhook-id`, `webhook-timestamp` and `webhook-signature`',
    requestBody: { required: true, content: { 'application/json': { schema: ref(event) } } },
    responses: { '2XX': { description: 'It arrived. Any other answer is followed by another attempt; 410 ends all.' } },
  },
});
