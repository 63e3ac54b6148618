/** The OpenAPI 3.1 document, generated from the schemas that check requests and describe answers. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { USER_PROVIDERS } from '../../../providers/catalogue.ts';
import { completionRequest } from '../../../shared/domain/completion.ts';
import { message } from '../../../shared/domain/conversation/messages.ts';
import { REQUEST_ERRORS, type RequestErrorCode } from '../../../shared/domain/errors.ts';
import { SCOPES } from '../../../shared/domain/tenant.ts';
import { anyOf } from '../../../shared/domain/wording/any-of.ts';
import type { Access } from '../../access/demand-access.ts';
import { ROUTES } from '../../access/route.ts';
import { ANSWERS, EVENTS } from './answers.ts';
import { RATE_HEADERS, REQUEST_HEADERS, RESPONSE_HEADERS, type RequestHeader, type ResponseHeader } from './headers.ts';
import { OPERATIONS, type Operation } from './operations.ts';

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

/** The calls that a port has: `tenants` and `admin` are theirs and the operator's, `metrics` may be on its own port. */
type Shown = { tenants: boolean; admin: boolean; metrics: boolean };

export const createDocument = ({ tenants, admin, metrics }: Shown): Document => {
  const shown = Object.entries(OPERATIONS).filter(([path]) => {
    if (path.startsWith('/admin/')) return admin;
    return path.startsWith('/v1/') ? tenants : path !== '/metrics' || metrics;
  });
  const operations = shown.flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation: operation as Operation })),
  );
  const bodies = Object.fromEntries(
    operations.flatMap(({ operation: { body } }) =>
      [body, body?.line].flatMap((part) => (part ? [[part.name, part.schema]] : [])),
    ),
  );
  const paths: Document['paths'] = {};
  for (const { path, method, operation } of operations) {
    const place = path.replace(/:(\w+)/g, '{$1}');
    paths[place] = { ...paths[place], [method.toLowerCase()]: describe(path, method, operation) };
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'LLM gateway',
      version: VERSION,
      description: `A queue in front of large language models: a completion is accepted as a job, and its answer is fetched with the job’s id. Every call under \`/v1\` needs a platform key in \`X-API-Key\`. With a user’s own provider key in \`X-User-API-Key\`, and ${anyOf(USER_PROVIDERS.map((name) => `\`${name}\``))} in \`X-User-Provider\`, it runs on that key; without them on the platform’s account. Times are RFC 3339 in UTC, money is US dollars.`,
    },
    tags: TAGS.filter(({ name }) => shown.some(([path]) => tagOf(path) === name)),
    paths,
    webhooks: { job: eventOf('JobEvent'), batch: eventOf('BatchEvent') },
    components: {
      schemas: schemasOf({ Message: message, ...bodies, ...ANSWERS, ...EVENTS }),
      securitySchemes: {
        platformKey: {
          type: 'apiKey',
          in: 'header',
          name: 'X-API-Key',
          description: `A platform key, which names the tenant. Scopes: ${SCOPES.join(', ')}.`,
        },
        platformKeyAsBearer: { type: 'http', scheme: 'bearer', description: 'The same key.' },
        ...(admin && { adminToken: { type: 'http', scheme: 'bearer', description: 'ADMIN_TOKEN.' } }),
      },
    },
  };
};

const TAGS = [
  { name: 'jobs', description: 'Completions and what becomes of them.' },
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
  if (path.startsWith('/admin/')) return 'admin';
  const [, area] = /^\/v1\/(\w+)/.exec(path) ?? [];
  return area === undefined ? 'operations' : area === 'complete' ? 'jobs' : area;
};

const ref = (name: string): Json => ({ $ref: `#/components/schemas/${name}` });

/** What is posted to the URL of a job's or batch's webhook. */
const eventOf = (name: keyof typeof EVENTS): { post: Json } => ({
  post: {
    summary: 'The outcome, at least once; signed in `webhook-id`, `webhook-timestamp` and `webhook-signature`',
    requestBody: { required: true, content: { 'application/json': { schema: ref(name) } } },
    responses: { '2XX': { description: 'It arrived. Any other answer is followed by another attempt; 410 ends all.' } },
  },
});

const describe = (path: string, method: string, operation: Operation): DocumentOperation => {
  // A cast because the names were those of the table, a moment ago.
  const access = (ROUTES as Record<string, Record<string, Access>>)[path]?.[method] ?? 'anyone';
  const { summary, body, answers } = operation;
  const asked: RequestHeader[] = path.startsWith('/v1/') ? ['X-Request-Id', 'traceparent'] : ['X-Request-Id'];
  const names = [...asked, ...(operation.headers ?? [])];
  const always: ResponseHeader[] = ['X-Request-Id', ...(operation.rateLimited ? RATE_HEADERS : [])];
  return {
    operationId: `${method.toLowerCase()}${path.replace(/\W+(\w?)/g, (_, letter: string) => letter.toUpperCase())}`,
    tags: [tagOf(path)],
    summary,
    ...(access === 'anyone' || access === 'operator' ? {} : { description: `Needs the scope \`${access}\`.` }),
    security: securityOf(access),
    parameters: [
      ...[...path.matchAll(/:(\w+)/g)].map(([, name = '']) => ({
        name,
        in: 'path',
        required: true,
        schema: { type: 'string' },
      })),
      ...queryParameters(operation.query),
      ...names.map((name) => ({ name, in: 'header', ...REQUEST_HEADERS[name] })),
    ],
    ...(body && {
      requestBody: {
        required: body.optional !== true,
        content: {
          'application/json': { schema: ref(body.name) },
          ...(body.line && { 'application/x-ndjson': { schema: ref(body.line.name) } }),
        },
      },
    }),
    responses: {
      ...Object.fromEntries(
        Object.entries(answers).map(([status, { description, json, type, headers = [] }]) => [
          status,
          {
            description,
            headers: headersOf([...always, ...headers]),
            ...((json || type) && {
              content: {
                ...(json && { 'application/json': { schema: ref(json) } }),
                ...(type && { [type]: { schema: {} } }),
              },
            }),
          },
        ]),
      ),
      ...errorResponses(errorsOf(path, access, operation), always),
    },
  };
};

const securityOf = (access: Access): Json[] => {
  if (access === 'anyone') return [];
  return access === 'operator' ? [{ adminToken: [] }] : [{ platformKey: [] }, { platformKeyAsBearer: [] }];
};

const queryParameters = (query: z.ZodObject | undefined): DocumentOperation['parameters'] => {
  if (query === undefined) return [];
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
const errorsOf = (path: string, access: Access, { query, body, errors = [] }: Operation): RequestErrorCode[] => {
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
  if (access !== 'anyone' && access !== 'operator') codes.push('scope_missing', 'tenant_disabled');
  if (path.includes(':')) codes.push('not_found');
  if (query) codes.push('invalid_query');
  if (body) codes.push('invalid_json', 'invalid_body', 'body_too_large', 'unsupported_media_type', 'overloaded');
  return codes;
};

const errorResponses = (
  codes: readonly RequestErrorCode[],
  always: readonly ResponseHeader[],
): DocumentOperation['responses'] => {
  const listed = Object.keys(REQUEST_ERRORS).filter((code) =>
    codes.some((each) => each === code),
  ) as RequestErrorCode[];
  const byStatus = Map.groupBy(listed, (code) => REQUEST_ERRORS[code].status);
  return Object.fromEntries(
    [...byStatus].map(([status, ofStatus]) => [
      status,
      {
        description: ofStatus.map((code) => `\`${code}\`: ${REQUEST_ERRORS[code].message}`).join('\n\n'),
        headers: headersOf(status === 429 || status === 503 ? [...always, 'Retry-After'] : always),
        content: {
          'application/json': {
            schema: { allOf: [ref('Error'), { properties: { error: { properties: { code: { enum: ofStatus } } } } }] },
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
    if (zodSchema === completionRequest.shape.messages) jsonSchema.items = ref('Message');
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

const schemasOf = (named: Record<string, z.ZodType>): Record<string, Json> => {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(named)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { ...OPTIONS, uri: (id) => `#/components/schemas/${id}` });
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, withoutNames(schema as Json)]));
};
