/** A row of the interface: what compiles, and when its query is judged. */
import { Hono } from 'hono';
import { expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import { installOperations } from '../../../api/access/install-operations.ts';
import { type AnyOperation, type NeedsOf, type Operation, operation } from '../../../api/access/operation.ts';
import type { ApiEnv } from '../../../api/http/context.ts';
import { createDocument } from '../../../api/operations/openapi/document.ts';
import { RequestError } from '../../../shared/domain/errors.ts';
import { NAMED } from '../../../shared/domain/wire.ts';

const described = { method: 'GET', summary: 'Answers', answers: { 200: { description: 'It.' } } } as const;
const query = z.strictObject({ wait: z.enum(['1', '2']).optional() });
const answer = () => (): Response => new Response('answered');

test('a row without access, summary or answers, or with the access of another part, does not compile', () => {
  type RowOn<Path extends `/${string}`> = Parameters<typeof operation<Path, unknown>>[0];
  type Required<Path extends `/${string}`> = {
    [Name in keyof RowOn<Path>]-?: undefined extends RowOn<Path>[Name] ? never : Name;
  }[keyof RowOn<Path>];
  expectTypeOf<Required<'/v1/x'>>().toEqualTypeOf<'method' | 'path' | 'access' | 'summary' | 'answers' | 'handle'>();
  expectTypeOf<RowOn<'/v1/x'>['access']>().toEqualTypeOf<
    'jobs:write' | 'jobs:read' | 'usage:read' | 'webhooks:manage'
  >();
  expectTypeOf<RowOn<'/admin/x'>['access']>().toEqualTypeOf<'operator'>();
  expectTypeOf<RowOn<'/x'>['access']>().toEqualTypeOf<'anyone'>();
});

test('rows need together what each of them needs', () => {
  type Rows = (Operation<{ jobs: string }> | Operation<{ queues: number }> | Operation<unknown>)[];
  expectTypeOf<NeedsOf<Rows>>().toExtend<{ jobs: string; queues: number }>();
  expectTypeOf<{ jobs: string; queues: number }>().toExtend<NeedsOf<Rows>>();
});

const ask = async (row: Operation<object>, search: string): Promise<string> => {
  const app = new Hono<ApiEnv>();
  app.onError((error, c) => {
    if (!(error instanceof RequestError)) throw error;
    return c.text(`${error.code} ${error.param}`);
  });
  installOperations(app, [{ ...row, access: 'anyone' }], {});
  return (await app.request(`${row.path}${search}`)).text();
};

test.each<[string, Operation<object>, string, string]>([
  [
    'none is taken',
    operation({ ...described, path: '/v1/x', access: 'jobs:read', handle: answer }),
    '?wait=1',
    'invalid_query wait',
  ],
  [
    'it is valid',
    operation({
      ...described,
      path: '/v1/x',
      access: 'jobs:read',
      query,
      handle:
        () =>
        (c, { wait }) =>
          c.text(`waited ${wait}`),
    }),
    '?wait=1',
    'waited 1',
  ],
  [
    'it is not valid',
    operation({ ...described, path: '/v1/x', access: 'jobs:read', query, handle: answer }),
    '?wait=3',
    'invalid_query wait',
  ],
  [
    'the handler judges it late',
    operation({ ...described, path: '/v1/x', access: 'jobs:read', lateQuery: query, handle: answer }),
    '?wait=3',
    'answered',
  ],
  [
    'anyone may ask',
    operation({ ...described, path: '/x', access: 'anyone', handle: answer }),
    '?anything=1',
    'answered',
  ],
])('the query is judged before the handler runs: %s', async (_, row, search, text) => {
  expect(await ask(row, search)).toBe(text);
});

test('what a row needs it is given once, when the app is built', async () => {
  let built = 0;
  const row = operation({
    ...described,
    path: '/x',
    access: 'anyone',
    handle: ({ word }: { word: string }) => {
      built += 1;
      return (c) => c.text(word);
    },
  });
  const app = new Hono<ApiEnv>();
  installOperations(app, [row], { word: 'given' });
  for (let call = 0; call < 3; call++) expect(await (await app.request('/x')).text()).toBe('given');
  expect(built).toBe(1);
});

test('a form in a row has a name, and no other form has the same', () => {
  const answering = (schema: z.ZodType): AnyOperation =>
    operation({
      ...described,
      path: '/x',
      access: 'anyone',
      answers: { 200: { description: 'It.', schema } },
      handle: answer,
    });
  const named = z.object({}).register(NAMED, { id: 'Named' });
  const again = z.object({}).register(NAMED, { id: 'Named' });
  const documentOf = (...forms: z.ZodType[]) => createDocument(forms.map(answering), () => true);
  expect(Object.keys(documentOf(named, named).components.schemas)).toContain('Named');
  expect(() => documentOf(z.object({}))).toThrow('has no name of its own');
  expect(() => documentOf(named, again)).toThrow('Two forms have the name Named');
});
