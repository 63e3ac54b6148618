/** What a call can be refused with, status by status. */
import type { z } from 'zod';
import { JOB_ERRORS, type JobErrorCode, REQUEST_ERRORS, type RequestErrorCode } from '../../../shared/domain/errors.ts';
import { isOfTenant } from '../../access/demand-access.ts';
import { type ResponseHeader, responseHeaders } from '../../access/headers.ts';
import type { AnyOperation } from '../../access/operation.ts';
import { OWN_WORDS, type RefusalWords } from '../../http/error-form.ts';
import type { DocumentOperation, Json } from './form.ts';
import { ref } from './schemas.ts';

/** What a call can be refused with, whatever it does. */
export const errorsOf = ({ path, access, body, errors = [] }: AnyOperation): RequestErrorCode[] => {
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

type Code = RequestErrorCode | JobErrorCode;
type Told = { code: Code; status: number; message: string };

/** Each code once, in the order of the tables. */
const toldOf = (codes: readonly RequestErrorCode[], ofJob: boolean): Told[] => {
  const told = new Map<string, Told>();
  const add = (rows: Readonly<Record<string, Omit<Told, 'code'>>>, isListed: (code: string) => boolean): void => {
    for (const [code, { status, message }] of Object.entries(rows)) {
      // A cast because Object.entries forgets which keys an object has.
      if (isListed(code) && !told.has(code)) told.set(code, { code: code as Code, status, message });
    }
  };
  add(REQUEST_ERRORS, (code) => codes.some((each) => each === code));
  add(JOB_ERRORS, () => ofJob);
  return [...told.values()];
};

const refusalOf = (form: z.ZodType, codes: readonly Code[]): Json => {
  const ofForm = (schema: z.ZodType, named: readonly Code[]): Json => ({
    allOf: [ref(schema), { properties: { error: { properties: { code: { enum: named } } } } }],
  });
  const early = codes.filter((code) => BEFORE_ROUTING.some((each) => each === code));
  if (form === OWN_WORDS.schema || early.length === 0) return ofForm(form, codes);
  return { anyOf: [ofForm(form, codes), ofForm(OWN_WORDS.schema, early)] };
};

/** `ofJob`: whether the call also tells how a job failed. */
export const errorResponses = (
  codes: readonly RequestErrorCode[],
  ofJob: boolean,
  { schema: form, statusOf }: RefusalWords,
  always: readonly ResponseHeader[],
): DocumentOperation['responses'] => {
  const byStatus = Map.groupBy(toldOf(codes, ofJob), statusOf);
  return Object.fromEntries(
    [...byStatus].map(([status, ofStatus]) => [
      status,
      {
        description: ofStatus.map(({ code, message }) => `\`${code}\`: ${message}`).join('\n\n'),
        headers: responseHeaders(
          status === 429 || status === 503 || status === 529 ? [...always, 'Retry-After'] : always,
        ),
        content: {
          'application/json': {
            schema: refusalOf(
              form,
              ofStatus.map(({ code }) => code),
            ),
          },
        },
      },
    ]),
  );
};
