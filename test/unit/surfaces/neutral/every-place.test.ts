/** Whatever stands wherever in a body: it is carried, or told by its place, and nothing else happens. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromMessages } from '../../../../api/surfaces/anthropic/neutral/from-messages.ts';
import { fromChat } from '../../../../api/surfaces/openai/neutral/from-chat.ts';
import { pathText } from '../../../../shared/domain/wording/explain-issue.ts';
import { dataUrl, PDF, png } from '../../../support/media.ts';
import { translated } from './translated.ts';

type Path = readonly (string | number)[];

const SCHEMA = { type: 'object', properties: {} };
const image = dataUrl('image/png', png());
const base64 = image.slice(image.indexOf(',') + 1);
const mark = { type: 'ephemeral' };
const breakpoint = { mode: 'explicit' };

const CHAT = {
  model: 'm',
  messages: [
    { role: 'developer', content: [{ type: 'text', text: 'a', prompt_cache_breakpoint: breakpoint }] },
    {
      role: 'user',
      content: [
        { type: 'image_url', image_url: { url: image } },
        { type: 'file', file: { file_data: dataUrl('application/pdf', PDF), filename: 'a' } },
      ],
    },
    {
      role: 'assistant',
      content: [{ type: 'refusal', refusal: 'No.' }],
      tool_calls: [
        { id: 'a', type: 'function', function: { name: 'f', arguments: '{}' }, extra_content: { google: {} } },
      ],
    },
    { role: 'tool', tool_call_id: 'a', content: [{ type: 'text', text: 'a' }] },
  ],
  tools: [{ type: 'function', function: { name: 'f', parameters: SCHEMA } }],
  tool_choice: { type: 'function', function: { name: 'f' } },
  response_format: { type: 'json_schema', json_schema: { name: 'n', schema: SCHEMA } },
};

const MESSAGES = {
  model: 'm',
  max_tokens: 10,
  system: [{ type: 'text', text: 'a', cache_control: mark }],
  messages: [
    {
      role: 'user',
      content: [
        { type: 'image', source: { type: 'base64', media_type: 'image/png', data: base64 } },
        {
          type: 'document',
          source: { type: 'text', media_type: 'text/plain', data: 'a' },
          citations: { enabled: false },
          cache_control: mark,
        },
      ],
    },
    {
      role: 'assistant',
      content: [
        { type: 'thinking', thinking: 'a', signature: 's' },
        { type: 'redacted_thinking', data: 'ZGF0YQ==' },
        { type: 'tool_use', id: 'a', name: 'f', input: {}, caller: { type: 'direct' } },
      ],
    },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'a', content: [{ type: 'text', text: 'a' }] }] },
  ],
  tools: [{ name: 'f', input_schema: SCHEMA }],
  tool_choice: { type: 'tool', name: 'f' },
  thinking: { type: 'enabled', budget_tokens: 5 },
  output_config: { effort: 'low', format: { type: 'json_schema', schema: SCHEMA } },
  metadata: { user_id: 'u' },
};

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The client's own, which goes on as it is. */
const OPAQUE: ReadonlySet<string> = new Set(['parameters', 'schema', 'input_schema', 'input']);

const placesIn = (value: unknown, path: Path = []): Path[] => {
  if (typeof value !== 'object' || value === null) return [path];
  const entries: [string | number, unknown][] = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  return [path, ...entries.flatMap(([name, part]) => (OPAQUE.has(`${name}`) ? [] : placesIn(part, [...path, name])))];
};

const at = (value: unknown, path: Path): unknown =>
  // A cast because the path was found there.
  path.reduce((inner, name) => (inner as Record<string | number, unknown>)[name], value);

const changed = (body: object, path: Path, change: (value: unknown) => unknown): unknown => {
  const name = path.at(-1);
  if (name === undefined) return change(body);
  const copy: unknown = structuredClone(body);
  // A cast because the path was found there.
  const parent = at(copy, path.slice(0, -1)) as Record<string | number, unknown>;
  parent[name] = change(parent[name]);
  return copy;
};

/** Whether a member can stand there in what was sent, be it missing. */
const isPlaceIn = (sent: unknown, param: string): boolean => {
  let inner = sent;
  return param
    .split(/[.[\]]+/)
    .filter((name) => name !== '')
    .every((name) => {
      const holds = typeof inner === 'object' && inner !== null;
      inner = holds ? Object.entries(inner as object).find(([known]) => known === name)?.[1] : undefined;
      return holds;
    });
};

describe.each([
  ['Chat Completions', fromChat, CHAT],
  ['Messages', fromMessages, MESSAGES],
])('%s', (_, translate, body) => {
  const places = placesIn(body);

  test('the whole is carried', () => {
    expect(translated(translate, body)).toMatchObject({ refusal: null, warnings: [] });
  });

  test.each(
    places.filter((path) => isObject(at(body, path))).map((path) => [pathText(path) || 'the body', path] as const),
  )('an unknown member of %s is refused by its place', (__, path) => {
    const sent = changed(body, path, (value) => ({ ...(value as object), unknown_member: 1 }));
    const { refusal } = translated(translate, sent);
    expect(refusal).toMatchObject({ code: 'unsupported_by_provider', param: pathText([...path, 'unknown_member']) });
    const warned = translated(translate, sent, 'warn');
    expect(warned.refusal).toBeNull();
    expect(warned.request).toEqual(translated(translate, body).request);
  });

  test('any value in any place is carried, or refused by a place in what was sent', () => {
    fc.assert(
      fc.property(fc.constantFrom(...places), fc.jsonValue({ maxDepth: 2 }), (path, value) => {
        const sent = changed(body, path, () => value);
        for (const onUnsupported of ['reject', 'warn'] as const) {
          const { refusal } = translated(translate, JSON.stringify(sent), onUnsupported);
          if (refusal === null) continue;
          expect(['invalid_body', 'unsupported_by_provider']).toContain(refusal.code);
          expect(isPlaceIn(sent, refusal.param?.replace(/\.?\(name not shown\)/g, '') ?? ''), refusal.message).toBe(
            true,
          );
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
