/** One operation as a document has it. */
import type { z } from 'zod';
import { type Access, isOfTenant } from '../../access/demand-access.ts';
import {
  RATE_HEADERS,
  REQUEST_HEADERS,
  type RequestHeader,
  type ResponseHeader,
  responseHeaders,
} from '../../access/headers.ts';
import type { AnyOperation } from '../../access/operation.ts';
import { OWN_WORDS } from '../../http/error-form.ts';
import type { DocumentOperation, Json } from './form.ts';
import { errorResponses, errorsOf } from './refusals.ts';
import { ref, toSchema } from './schemas.ts';
import { tagOf } from './tags.ts';

export const describeOperation = (operation: AnyOperation): DocumentOperation => {
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
            headers: responseHeaders([...always, ...headers]),
            ...((schema || type) && {
              content: {
                ...(schema && { 'application/json': { schema: ref(schema) } }),
                ...(type && { [type]: { schema: {} } }),
              },
            }),
          },
        ]),
      ),
      ...errorResponses(errorsOf(operation), operation.awaitsJob === true, refusals, [
        ...always,
        ...refusals.headers,
        ...(operation.awaitsJob ? (['X-Gateway-Job-Id'] as const) : []),
      ]),
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
