/** Where clients at a wrong base URL are sent: held against the paths that the real SDKs call. */
import { globSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  DIALECTS,
  type DialectName,
  dialectAstray,
  dialectOfClient,
  headOf,
} from '../../../api/surfaces/foreign/right-base.ts';

const OWN: ReadonlySet<string> = new Set([
  ...['/v1/complete', '/v1/jobs', '/v1/batches', '/v1/usage', '/v1/webhooks', '/admin', '/docs', '/healthz', '/'],
]);

/** Every path of an SDK's calls behind its base URL, with `x` for what is filled in. */
const pathsOf = (sdk: string, literal: RegExp): string[] => {
  const texts = globSync(`node_modules/${sdk}/resources/**/*.js`).map((file) => readFileSync(file, 'utf8'));
  const paths = texts.flatMap((text) => [...text.matchAll(literal)].map(([, path = '']) => path));
  return [...new Set(paths.map((path) => path.replace(/\$\{[^}]*\}/g, 'x').replace(/\?.*/, '')))].filter(
    (path) => !/[^\w/.-]/.test(path),
  );
};
const CALLS: Record<DialectName, readonly string[]> = {
  openai: pathsOf('openai', /(?:path`|')(\/[a-z_]+(?:\/[^'`]*)?)['`]/g),
  anthropic: pathsOf('@anthropic-ai/sdk', /(?:path`|')(\/v1\/[a-z_]+(?:\/[^'`]*)?)['`]/g),
};
const BASES: Record<DialectName, readonly string[]> = {
  openai: ['', '/v1', '/openai', '/openai/v1/v1', '/v1/openai', '/anthropic', '/anthropic/v1', '/openai/openai/v1'],
  anthropic: ['', '/v1', '/anthropic/v1', '/anthropic/anthropic', '/openai', '/openai/v1', '/v1/anthropic'],
};

describe.each(['openai', 'anthropic'] as const)('the SDK of %s', (dialect) => {
  test('its calls were found', () => {
    expect(CALLS[dialect].length).toBeGreaterThan(50);
  });

  test.each(BASES[dialect])('at the base URL %j, whatever it calls, is sent to the right one', (base) => {
    // What neither has is told apart by nothing but who calls, and is then the gateway's own.
    const taken = CALLS[dialect].filter((path) => dialectAstray(base + path, dialect, OWN) !== dialect);
    expect(taken).toEqual([]);
  });

  test('at the right base URL it passes, whatever it calls', () => {
    const refused = CALLS[dialect].filter(
      (path) => dialectAstray(DIALECTS[dialect].baseUrl + path, dialect, OWN) !== null,
    );
    expect(refused).toEqual([]);
  });
});

test.each<[string, DialectName | null, DialectName | null]>([
  ['/v1/chat/completions', null, 'openai'],
  ['/chat/completions', null, 'openai'],
  ['/openai/chat/completions', null, 'openai'],
  ['/openai/v1/v1/responses', null, 'openai'],
  ['/anthropic/v1/chat/completions', null, 'openai'],
  ['/api/v1/embeddings', null, 'openai'],
  ['/v1/models', null, 'openai'],
  ['/v1/models', 'anthropic', 'anthropic'],
  ['/v1/messages', null, 'anthropic'],
  ['/openai/v1/messages', null, 'anthropic'],
  ['/anthropic/messages/batches', null, 'anthropic'],
  ['/anthropic/models/a', null, 'anthropic'],
  // The same path at both.
  ['/openai/v1/models', 'anthropic', 'anthropic'],
  ['/anthropic/v1/models', 'openai', 'openai'],
  ['/openai/v1/models', null, null],
  ['/anthropic/v1/models', null, null],
  ['/openai/v1/models/anthropic/v1/models', null, null],
  // The gateway's own calls, which an SDK makes on purpose if its interface has none of that name.
  ['/v1/batches', 'openai', 'openai'],
  ['/v1/batches/batch_1', 'openai', 'openai'],
  ['/v1/batches/batch_1/results', null, null],
  ['/v1/complete', 'anthropic', 'anthropic'],
  ['/v1/complete', 'openai', null],
  ['/v1/complete', null, null],
  ['/v2/complete', null, null],
  ['/batches', null, null],
  ['/batches', 'openai', 'openai'],
  ['/v1/jobs/chat', 'openai', null],
  ['/admin/tenants/models', null, null],
  ['/docs', 'openai', null],
  ['/nowhere', null, null],
  ['/openai/v1/vector_stores/x/files', null, null],
  ['/openai/v1/_wait/job_1', 'openai', null],
  ['/anthropic/v1/_wait/job_1', null, null],
])('%s of a client of %s means %s', (path, client, dialect) => {
  expect(dialectAstray(path, client, OWN)).toBe(dialect);
});

test.each<[Record<string, string>, DialectName | null]>([
  [{}, null],
  [{ 'x-stainless-lang': 'python' }, 'openai'],
  [{ 'x-stainless-lang': 'js', 'anthropic-version': '2026-10-21' }, 'anthropic'],
  [{ 'anthropic-version': '2023-06-01' }, 'anthropic'],
])('a client that sends %o is one of %s', (headers, dialect) => {
  expect(dialectOfClient((name) => headers[name])).toBe(dialect);
});

test.each([
  ['/v1/jobs/a/b', '/v1/jobs'],
  ['/v1', '/v1'],
  ['/docs', '/docs'],
  ['/', '/'],
])('the head of %s is %s', (path, head) => {
  expect(headOf(path)).toBe(head);
});
