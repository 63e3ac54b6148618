/** Requests to the calls of the OpenAPI document, as it says or nearly; in many of them a secret stands where it belongs, or where it does not. */
import fc from 'fast-check';
import type { Document, DocumentOperation } from '../../api/operations/openapi/form.ts';
import { USER_PROVIDERS, userManifestOf } from '../../providers/catalogue.ts';
import { ADMIN_TOKEN } from '../support/clients/operator.ts';
import { KEYS } from '../support/processes/gateway.ts';
import { anything, createValues, WEBHOOK_URL } from './values.ts';

export type FuzzedRequest = {
  /** `GET /v1/jobs/{id}`; null where the document has no such call. */
  call: string | null;
  method: string;
  /** With `{…}` for ids, which `ids` are put into. */
  path: string;
  /** A number takes an id that an earlier answer named. */
  ids: (number | string)[];
  query: string;
  headers: Record<string, string | undefined>;
  body: string | null;
  /** What must not come back. */
  secret: string;
};

/** A random end by which it is found wherever it comes back. */
export const drawSecret = fc
  .noBias(fc.uint8Array({ minLength: 12, maxLength: 12 }))
  .map((bytes) => Buffer.from(bytes).toString('hex'));

/** Where a secret may stand in a request by mistake, beside the places that it has. Not in what an answer repeats by contract: ids of requests, metadata, models. */
type Slip = 'none' | 'path' | 'query name' | 'query value' | 'field' | 'header';
const SLIPS: Slip[] = ['path', 'query name', 'query value', 'field', 'header'];

const HEADER_TEXT = fc.string({ unit: fc.constantFrom(...'abcXYZ019 .,;:=/"\'{}()<>-_~!\t'.split('')), maxLength: 60 });
/** What a client library lets through; other bytes come over sockets. */
const inHeader = (value: string): string => value.replace(/[^\x20-\x7e]/g, '').slice(0, 500);

export const createRequests = (document: Document): fc.Arbitrary<FuzzedRequest> => {
  const valueFor = createValues(document.components.schemas);
  const calls = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      // What takes most is tried most.
      weight: operation.parameters.some(({ name }) => name === 'Idempotency-Key') ? 8 : 1,
      arbitrary: requestOf(path, method.toUpperCase(), operation, valueFor),
    })),
  );
  return fc.oneof(...calls);
};

type Body = [contentType: string, text: string];

const BROKEN = ['', '{', '[', '{"messages":', '\uFEFF{}', '[['.repeat(10_000), '{"a":1,"a":2}', '\n\n', '{}\r\n{}'];

const requestOf = (
  path: string,
  method: string,
  operation: DocumentOperation,
  valueFor: ReturnType<typeof createValues>,
): fc.Arbitrary<FuzzedRequest> => {
  const text = (schema: object): fc.Arbitrary<string> =>
    valueFor(schema).map((value) => (typeof value === 'string' ? value : JSON.stringify(value)));
  const parameters = (place: string): fc.Arbitrary<Record<string, string | undefined>> =>
    fc.record(
      Object.fromEntries(
        operation.parameters.flatMap(({ name, in: where, schema }) => {
          if (where !== place) return [];
          // What lets an answer wait is drawn short.
          if (name === 'wait') return [[name, fc.constantFrom('1', '1', '0', 'x')]];
          if (name === 'Prefer') return [[name, fc.constantFrom('wait=1', 'wait=1', 'respond-async', 'x')]];
          const asSaid: fc.Arbitrary<string> = name === 'webhook_url' ? WEBHOOK_URL : text(schema);
          return [
            [
              name,
              place === 'header'
                ? fc.oneof({ weight: 9, arbitrary: asSaid.map(inHeader) }, { weight: 1, arbitrary: HEADER_TEXT })
                : asSaid,
            ],
          ];
        }),
      ),
      { requiredKeys: [] },
    );
  const content = operation.requestBody?.content ?? {};
  const jsonOf = (value: unknown): string => JSON.stringify(value) ?? '';
  const bodies = Object.entries(content).flatMap(([type, { schema }]): fc.Arbitrary<Body>[] => {
    const value = valueFor(schema).map(jsonOf);
    const lines = fc.array(value, { maxLength: 5 }).map((texts) => texts.join('\n'));
    return [fc.tuple(fc.constant(type), type === 'application/x-ndjson' ? lines : value)];
  });
  const odd: fc.Arbitrary<Body> = fc.tuple(
    fc.constantFrom(
      ...Object.keys(content),
      'application/json',
      'text/plain',
      'application/json; charset=utf-16',
      'multipart/form-data',
    ),
    fc.oneof(anything.map(jsonOf), fc.string({ unit: 'binary', maxLength: 100 }), fc.constantFrom(...BROKEN)),
  );
  const body: fc.Arbitrary<Body | null> =
    bodies.length > 0
      ? fc.oneof({ weight: 12, arbitrary: fc.oneof(...bodies) }, { weight: 2, arbitrary: odd })
      : fc.oneof({ weight: 9, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: odd });
  return fc
    .record({
      ids: fc.array(
        fc.oneof(
          { weight: 4, arbitrary: fc.nat() },
          { weight: 1, arbitrary: fc.string({ minLength: 1, maxLength: 40 }) },
        ),
        { minLength: 2, maxLength: 2 },
      ),
      query: parameters('query'),
      headers: parameters('header'),
      body,
      secret: drawSecret,
      slip: fc.oneof(
        { weight: 5, arbitrary: fc.constant<Slip>('none') },
        { weight: 2, arbitrary: fc.constantFrom(...SLIPS) },
      ),
      credential: credentialOf(operation),
      byok: fc.constantFrom('none', 'none', 'none', 'openai', 'anthropic', 'as drawn'),
      wrongMethod: fc.oneof(
        { weight: 30, arbitrary: fc.constant(null) },
        { weight: 1, arbitrary: fc.constantFrom('HEAD', 'OPTIONS', 'PUT', 'TRACE') },
      ),
    })
    .map(({ ids, query, headers, body: drawn, secret, slip, credential, byok, wrongMethod }) => {
      const [contentType, body] = drawn ?? [null, null];
      const sent: Record<string, string | undefined> = {
        ...headers,
        ...credential(secret),
        ...(contentType !== null && { 'Content-Type': contentType }),
        ...(slip === 'header' ? { 'X-Forwarded-For': secret, Cookie: `key=${secret}`, 'If-Match': secret } : {}),
      };
      // Each of the two without the other is refused: most requests have both or none.
      if (byok === 'none') {
        delete sent['X-User-API-Key'];
        delete sent['X-User-Provider'];
      } else if (byok !== 'as drawn' && operation.parameters.some(({ name }) => name === 'X-User-Provider')) {
        sent['X-User-Provider'] = byok;
      }
      if (sent['X-User-Provider'] !== undefined) sent['X-User-API-Key'] = userKeyWith(sent['X-User-Provider'], secret);
      const pairs = Object.entries(query).flatMap(([name, value]): [string, string][] =>
        value === undefined ? [] : [[name, value]],
      );
      if (slip === 'query name') pairs.push([`sk-${secret}`, '1']);
      if (slip === 'query value') pairs.push(['api_key', `sk-${secret}`]);
      return {
        call: wrongMethod === null ? `${method} ${path}` : null,
        method: wrongMethod ?? method,
        path,
        ids: slip === 'path' ? [`sk-${secret}`, ...ids] : ids,
        query: new URLSearchParams(pairs).toString(),
        headers: sent,
        body: slip === 'field' && body?.startsWith('{"') ? `{"sk-${secret}":1,${body.slice(1)}` : body,
        secret,
      };
    });
};

const userKeyWith = (provider: string | undefined, secret: string): string => {
  const { form } = userManifestOf(USER_PROVIDERS.find((name) => name === provider) ?? 'openai').keys;
  return 'whole' in form ? secret.padEnd(32, '0').slice(0, 32) : `${form.begins[0]}${secret}`;
};

type Credential = (secret: string) => Record<string, string>;

/** As the call wants it in most requests; else none, a wrong one, two, or that of the other part of the interface. */
const credentialOf = ({ security }: DocumentOperation): fc.Arbitrary<Credential> => {
  const good: Credential = security.some((scheme) => 'adminToken' in scheme)
    ? () => ({ Authorization: `Bearer ${ADMIN_TOKEN}` })
    : () => ({ 'X-API-Key': KEYS.acme });
  return fc.oneof(
    { weight: 12, arbitrary: fc.constant(good) },
    {
      weight: 1,
      arbitrary: fc.constantFrom<Credential>(
        () => ({}),
        (secret) => ({ 'X-API-Key': secret }),
        (secret) => ({ Authorization: `Bearer gk_key_${secret}` }),
        (secret) => ({ Authorization: `Basic ${secret}` }),
        (secret) => ({ 'X-API-Key': KEYS.acme, Authorization: `Bearer ${secret}` }),
        () => ({ Authorization: `Bearer ${ADMIN_TOKEN}` }),
      ),
    },
  );
};
