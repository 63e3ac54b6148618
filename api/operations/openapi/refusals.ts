/** What a call can be refused with, status by status. */
import type { z } from 'zod';
import { REQUEST_ERRORS, type RequestErrorCode } from '../../../shared/domain/errors.ts';
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

const refusalOf = (form: z.ZodType, codes: readonly RequestErrorCode[]): Json => {
  const ofForm = (schema: z.ZodType, named: readonly RequestErrorCode[]): Json => ({
    allOf: [ref(schema), { properties: { error: { properties: { code: { enum: named } } } } }],
  });
  const early = codes.filter((code) => BEFORE_ROUTING.includes(code));
  if (form === OWN_WORDS.schema || early.length === 0) return ofForm(form, codes);
  return { anyOf: [ofForm(form, codes), ofForm(OWN_WORDS.schema, early)] };
};

export const errorResponses = (
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
        headers: responseHeaders(
          status === 429 || status === 503 || status === 529 ? [...always, 'Retry-After'] : always,
        ),
        content: {
          'application/json': {
            schema: refusalOf(form, ofStatus),
          },
        },
      },
    ]),
  );
};
