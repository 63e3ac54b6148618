/** Real answers against the OpenAPI document: what is not described there is a fault. */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import type { Document, DocumentOperation } from '../../../api/operations/openapi/form.ts';

export type AnswerToCheck = { status: number; headers: Headers; body: unknown };

/** Every object of the document is open to fields that may come later; a test wants to know about each that is there today. */
const closed = (schema: unknown): unknown => {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const parts = Object.fromEntries(Object.entries(schema).map(([name, part]) => [name, closed(part)]));
  const isForm = 'type' in parts && 'properties' in parts && !('additionalProperties' in parts);
  return isForm ? { ...parts, additionalProperties: false } : parts;
};

/** A record whose names are listed may hold others too. */
const opened = (part: unknown): unknown =>
  JSON.parse(JSON.stringify(part), (name, value) => (name === 'propertyNames' ? undefined : value));

const createValidators = (document: Document, isOpen: boolean) => {
  // What OpenAPI says beside schemas is no concern of the validator.
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  formats.default(ajv);
  ajv.addSchema({ $id: 'openapi', components: (isOpen ? opened : closed)(document.components) });
  const validators = new Map<object, ValidateFunction>();
  const validatorOf = (schema: object): ValidateFunction => {
    const known =
      validators.get(schema) ?? ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"openapi#/')));
    validators.set(schema, known);
    return known;
  };
  /** What is wrong with a value; null where it is as the schema says. */
  return (schema: object, value: unknown): string | null => {
    const validate = validatorOf(schema);
    return validate(value) ? null : `${ajv.errorsText(validate.errors)} in ${JSON.stringify(value)}`;
  };
};

/** Answers what is wrong with the body of an event; null where it is as described. */
export const createEventCheck = (document: Document) => {
  const wrong = createValidators(document, false);
  return (name: 'JobEvent' | 'BatchEvent', body: unknown): string | null =>
    wrong({ $ref: `#/components/schemas/${name}` }, body);
};

/** Answers what is wrong with an answer to a call (`GET /v1/jobs/{id}`); null where it is as described. `isOpen`: it may hold more, as those of a later release. */
export const createAnswerCheck = (document: Document, { isOpen = false }: { isOpen?: boolean } = {}) => {
  const wrong = createValidators(document, isOpen);
  const operationOf = (call: string): DocumentOperation | undefined => {
    const [method = '', path = ''] = call.split(' ');
    return document.paths[path]?.[method.toLowerCase()];
  };

  return (call: string, { status, headers, body }: AnswerToCheck): string | null => {
    const operation = operationOf(call);
    if (operation === undefined) return `${call} is not in the document`;
    const described = operation.responses[status];
    if (described === undefined)
      return `${call} answers ${status}, which is not in the document: ${JSON.stringify(body)}`;
    const missing = Object.entries(described.headers ?? {}).filter(
      ([name, header]) => header.required === true && !headers.has(name),
    );
    if (missing.length > 0) return `${call} ${status} lacks ${missing.map(([name]) => name).join(', ')}`;
    const known = new Set([...Object.keys(described.headers ?? {}), ...ALWAYS].map((name) => name.toLowerCase()));
    const unknown = [...headers.keys()].filter((name) => !known.has(name));
    if (unknown.length > 0 && !isOpen)
      return `${call} ${status} has headers that are not in the document: ${unknown.join(', ')}`;
    const schema = described.content?.['application/json']?.schema;
    if (described.content === undefined) return body === null ? null : `${call} ${status} has a body`;
    if (schema === undefined || Object.keys(schema).length === 0) return null;
    const problem = wrong(schema, body);
    return problem && `${call} ${status}: ${problem}`;
  };
};

/** Of every answer over HTTP, or of every one of ours. */
const ALWAYS = [
  'Connection',
  'Keep-Alive',
  'Date',
  'Content-Type',
  'Content-Length',
  'Transfer-Encoding',
  'Cache-Control',
  'Content-Security-Policy',
  'X-Content-Type-Options',
  'Referrer-Policy',
];
