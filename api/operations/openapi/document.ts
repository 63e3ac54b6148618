/** The OpenAPI 3.1 document, generated from the schemas that check requests and describe answers. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { USER_PROVIDERS } from '../../../providers/catalogue.ts';
import { completionRequest } from '../../../shared/domain/completion.ts';
import { message } from '../../../shared/domain/conversation/messages.ts';
import { REQUEST_ERRORS, type RequestErrorCode } from '../../../shared/domain/errors.ts';
import { batchEvent, jobEvent } from '../../../shared/domain/events/schema.ts';
import { SCOPES, type Scope } from '../../../shared/domain/tenants/caller.ts';
import { NAMED } from '../../../shared/domain/wire.ts';
import { anyOf } from '../../../shared/domain/wording/any-of.ts';
import type { Access } from '../../access/demand-access.ts';
import {
  RATE_HEADERS,
  REQUEST_HEADERS,
  RESPONSE_HEADERS,
  type RequestHeader,
  type ResponseHeader,
} from '../../access/headers.ts';
import type { AnyOperation } from '../../access/operation.ts';
import { OWN_WORDS, type RefusalWords } from '../../http/error-form.ts';

const { version: VERSION } = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')));

type Json = Record<string, unknown>;

export type Document = {
  openapi: '3.1.1';
  info: { title: string; version: string; description: string };
  tags: { name: string; description: string }[];
  paths: Record<string, Record<string, DocumentOperation>>;
  webhooks: Record<string, { post: Json }>;
  components: Json & { schemas: Record<string, Json> };
};

export type DocumentOperation = {
  operationId: string;
  tags: string[];
  summary: string;
  description?: string;
  security: Json[];
  parameters: { name: string; in: string; required?: boolean; description?: string; schema: Json }[];
  requestBody?: { required: boolean; content: Record<string, { schema: Json }> };
  responses: Record<
    string,
    { description: string; headers?: Record<string, Json>; content?: Record<string, { schema: Json }> }
  >;
};

/** `isShown`: which calls there are where the document is read. */
export const createDocument = (
  operations: readonly AnyOperation[],
  isShown: (operation: AnyOperation) => boolean,
): Document => {
  const shown = operations.filter(isShown);
  const paths: Document['paths'] = {};
  for (const each of shown) {
    const place = each.path.replace(/:(\w+)/g, '{$1}');
    paths[place] = { ...paths[place], [each.method.toLowerCase()]: describe(each) };
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

const TAGS = [
  { name: 'jobs', description: 'Completions and what becomes of them.' },
  { name: 'openai', description: 'Requests in OpenAI’s words, on users’ own keys.' },
  { name: 'anthropic', description: 'Requests in Anthropic’s words, on users’ own keys.' },
  { name: 'batches', description: 'Many completions at once.' },
  { name: 'usage', description: 'What a tenant used.' },
  {
    name: 'webhooks',
    description:
      'What became of the events that were posted. Their bodies are `JobEvent` and `BatchEvent`, signed by Standard Webhooks.',
  },
  { name: 'admin', description: 'Tenants, their keys and the queues, for whoever runs the gateway.' },
  { name: 'operations', description: 'Of one process.' },
];

const tagOf = (path: string): string => {
  if (path.startsWith('/openai/')) return 'openai';
  if (path.startsWith('/anthropic/')) return 'anthropic';
  if (path.startsWith('/admin/')) return 'admin';
  const [, area] = /^\/v1\/(\w+)/.exec(path) ?? [];
  return area === undefined ? 'operations' : area === 'complete' ? 'jobs' : area;
};

const nameOf = (form: z.core.$ZodType): string => {
  const { id } = NAMED.get(form) ?? {};
  if (id === undefined) throw new Error('A form that a row names has no name of its own: give it one in NAMED.');
  return id;
};

const ref = (form: z.core.$ZodType): Json => ({ $ref: `#/components/schemas/${nameOf(form)}` });

/** The forms with a name that a form is made of, then it itself. */
const formsIn = (form: z.core.$ZodType): z.core.$ZodType[] => {
  const parts =
    form instanceof z.ZodObject ? Object.values(form.shape) : form instanceof z.ZodArray ? [form.element] : [];
  return [...parts.flatMap(formsIn), ...(NAMED.has(form) ? [form] : [])];
};

/** What is posted to the URL of a job's or batch's webhook. */
const eventOf = (event: z.ZodType): { post: Json } => ({
  post: {
    summary: 'The outcome, at least once; signed in `webhook-id`, `webhook-timestamp` and `webhook-signature`',
    requestBody: { required: true, content: { 'application/json': { schema: ref(event) } } },
    responses: { '2XX': { description: 'It arrived. Any other answer is followed by another attempt; 410 ends all.' } },
  },
});

/** Who asks has a platform key, and with it a tenant. */
const isOfTenant = (access: Access): access is Scope => access !== 'anyone' && access !== 'operator';

const describe = (operation: AnyOperation): DocumentOperation => {
  const { method, path, access, summary, query, body, answers, refusals = OWN_WORDS } = operation;
  const asked: RequestHeader[] = isOfTenant(access) ? ['X-Request-Id', 'traceparent'] : ['X-Request-Id'];
  const names = [...asked, ...(operation.headers ?? [])];
  const always: ResponseHeader[] = ['X-Request-Id', ...(operation.rateLimited ? RATE_HEADERS : [])];
  return {
    operationId: `${method.toLowerCase()}${path.replace(/\W+(\w?)/g, (_, letter: string) => letter.toUpperCase())}`,
    tags: [tagOf(path)],
    summary,
    ...(isOfTenant(access) && { description: `Needs the scope \`${access}\`.` }),
    security: securityOf(access),
    parameters: [
      ...[...path.matchAll(/:(\w+)/g)].map(([, name = '']) => ({
        name,
        in: 'path',
        required: true,
        schema: { type: 'string' },
      })),
      ...queryParameters(query),
      ...names.map((name) => ({ name, in: 'header', ...REQUEST_HEADERS[name] })),
    ],
    ...(body && {
      requestBody: {
        required: body.optional !== true,
        content: {
          'application/json': { schema: ref(body.schema) },
          ...(body.line && { 'application/x-ndjson': { schema: ref(body.line) } }),
        },
      },
    }),
    responses: {
      ...Object.fromEntries(
        Object.entries(answers).map(([status, { description, schema, type, headers = [] }]) => [
          status,
          {
            description,
            headers: headersOf([...always, ...headers]),
            ...((schema || type) && {
              content: {
                ...(schema && { 'application/json': { schema: ref(schema) } }),
                ...(type && { [type]: { schema: {} } }),
              },
            }),
          },
        ]),
      ),
      ...errorResponses(errorsOf(operation), refusals, [...always, ...refusals.headers]),
    },
  };
};

const securityOf = (access: Access): Json[] => {
  if (access === 'anyone') return [];
  return access === 'operator' ? [{ adminToken: [] }] : [{ platformKey: [] }, { platformKeyAsBearer: [] }];
};

const queryParameters = (query: z.ZodObject): DocumentOperation['parameters'] => {
  const { properties = {}, required = [] } = toSchema(query) as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    ...(typeof description === 'string' && { description }),
    schema,
  }));
};

const headersOf = (names: readonly ResponseHeader[]): Record<string, Json> =>
  Object.fromEntries(names.map((name) => [name, RESPONSE_HEADERS[name]]));

/** What a call can be refused with, whatever it does. */
const errorsOf = ({ path, access, body, errors = [] }: AnyOperation): RequestErrorCode[] => {
  const codes: RequestErrorCode[] = [
    'invalid_header',
    'invalid_path',
    'request_timeout',
    'headers_too_large',
    'internal_error',
    ...errors,
  ];
  if (access !== 'anyone')
    codes.push('missing_api_key', 'invalid_api_key', 'rate_limited', 'invalid_query', 'queue_unavailable');
  if (isOfTenant(access)) codes.push('scope_missing', 'tenant_disabled');
  if (path.includes(':')) codes.push('not_found');
  if (body) codes.push('invalid_json', 'invalid_body', 'body_too_large', 'unsupported_media_type', 'overloaded');
  return codes;
};

/** What is answered before anybody looks at the path, so in the gateway's own form. */
const BEFORE_ROUTING: readonly RequestErrorCode[] = ['invalid_header', 'request_timeout', 'headers_too_large'];

const refusalOf = (form: z.ZodType, codes: readonly RequestErrorCode[]): Json => {
  const ofForm = (schema: z.ZodType, named: readonly RequestErrorCode[]): Json => ({
    allOf: [ref(schema), { properties: { error: { properties: { code: { enum: named } } } } }],
  });
  const early = codes.filter((code) => BEFORE_ROUTING.includes(code));
  if (form === OWN_WORDS.schema || early.length === 0) return ofForm(form, codes);
  return { anyOf: [ofForm(form, codes), ofForm(OWN_WORDS.schema, early)] };
};

const errorResponses = (
  codes: readonly RequestErrorCode[],
  { schema: form, statusOf }: RefusalWords,
  always: readonly ResponseHeader[],
): DocumentOperation['responses'] => {
  const listed = Object.keys(REQUEST_ERRORS).filter((code) =>
    codes.some((each) => each === code),
  ) as RequestErrorCode[];
  const byStatus = Map.groupBy(listed, statusOf);
  return Object.fromEntries(
    [...byStatus].map(([status, ofStatus]) => [
      status,
      {
        description: ofStatus.map((code) => `\`${code}\`: ${REQUEST_ERRORS[code].message}`).join('\n\n'),
        headers: headersOf(status === 429 || status === 503 || status === 529 ? [...always, 'Retry-After'] : always),
        content: {
          'application/json': {
            schema: refusalOf(form, ofStatus),
          },
        },
      },
    ]),
  );
};

/** As requests are sent, and as answers are promised: open where our own schemas are not strict, because answers may grow. */
const OPTIONS = {
  io: 'input',
  unrepresentable: 'any',
  override: ({ zodSchema, jsonSchema }) => {
    const { def } = zodSchema._zod;
    // Its entries are checked one by one, for speed, by what stands for a schema of them.
    if (zodSchema === completionRequest.shape.messages) jsonSchema.items = ref(message);
    // A check of our own in front of a schema says nothing in a document; what follows it does.
    if (def.type === 'pipe' && def.in._zod.def.type === 'custom') Object.assign(jsonSchema, toSchema(def.out));
    // Left out where the default is what becomes of a query's text; lists are texts with commas there.
    if (def.type === 'default')
      jsonSchema.default ??= Array.isArray(def.defaultValue) ? def.defaultValue.join(',') : def.defaultValue;
    // The format says the same, readably.
    if (jsonSchema.format === 'date' || jsonSchema.format === 'date-time') delete jsonSchema.pattern;
    if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
  },
} satisfies z.core.ToJSONSchemaParams;

const withoutNames = (schema: Json): Json =>
  Object.fromEntries(Object.entries(schema).filter(([name]) => name !== '$schema' && name !== '$id'));

const toSchema = (schema: z.core.$ZodType): Json => withoutNames(z.toJSONSchema(schema, OPTIONS) as Json);

const schemasOf = (forms: readonly z.core.$ZodType[]): Record<string, Json> => {
  const registry = z.registry<{ id: string }>();
  for (const [id, [form, other]] of Map.groupBy(new Set(forms), nameOf)) {
    if (other) throw new Error(`Two forms have the name ${id} in NAMED.`);
    if (form) registry.add(form, { id });
  }
  const { schemas } = z.toJSONSchema(registry, { ...OPTIONS, uri: (id) => `#/components/schemas/${id}` });
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, withoutNames(schema as Json)]));
};
