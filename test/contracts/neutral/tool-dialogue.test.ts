/** One conversation on each provider: two calls at once with their results, an image, a document and a JSON Schema. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ProviderAdapter } from '../../../providers/call/provider.ts';
import { createSandbox, type Sandbox } from '../../../sandbox/server.ts';
import { type CompletionRequest, completionRequest } from '../../../shared/domain/completion.ts';
import type { CompletionResult } from '../../../shared/domain/conversation/result.ts';
import { dataUrl, PDF, png } from '../../support/media.ts';
import { VENDORS } from '../vendors.ts';

const IMAGE = dataUrl('image/png', png());
const IMAGE_BASE64 = png().toString('base64');
const PDF_BASE64 = PDF.toString('base64');
const PARAMETERS = {
  type: 'object',
  properties: { zone: { enum: ['UTC', 'CET'] }, city: { type: 'string' }, days: { type: 'integer', minimum: 3 } },
  required: ['city'],
};
const SCHEMA = { type: 'object', properties: { warm: { type: 'boolean' }, because: { type: 'string' } } };
const QUESTION = {
  role: 'user',
  content: [
    { type: 'text', text: 'Compare.' },
    { type: 'image_url', image_url: { url: IMAGE } },
    { type: 'file', file: { file_data: dataUrl('application/pdf', PDF), filename: 'Forecast of May.pdf' } },
  ],
};
const toolOf = (name: string) => ({
  type: 'function',
  function: { name, description: 'Looks.', parameters: PARAMETERS },
});
const COMMON = {
  model: 'model-1',
  tools: [toolOf('get_weather'), toolOf('get_time')],
  reasoning: { effort: 'low' },
  response_format: { type: 'json_schema', json_schema: { name: 'report', schema: SCHEMA } },
};
const INPUT = { zone: 'UTC', city: 'sandbox', days: 3 };

const THREE = VENDORS.filter(({ provider }) => ['openai', 'anthropic', 'bedrock'].includes(provider));

/** What each provider is sent for the second request, whose calls and thoughts the first answer named. */
const wires: Record<string, (first: CompletionResult) => object> = {
  openai: ({ tool_calls = [] }) => ({
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Compare.' },
          { type: 'image_url', image_url: { url: IMAGE } },
          {
            type: 'file',
            file: { file_data: dataUrl('application/pdf', PDF), filename: 'Forecast of May.pdf' },
          },
        ],
      },
      { role: 'assistant', content: null, tool_calls },
      { role: 'tool', tool_call_id: tool_calls[0]?.id, content: '21 °C' },
      { role: 'tool', tool_call_id: tool_calls[1]?.id, content: [{ type: 'text', text: 'noon' }] },
    ],
    tools: COMMON.tools,
    reasoning_effort: 'low',
    response_format: COMMON.response_format,
  }),
  anthropic: ({ tool_calls = [], reasoning_details: [thought] = [] }) => ({
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Compare.' },
          { type: 'image', source: { type: 'base64', media_type: 'image/png', data: IMAGE_BASE64 } },
          {
            type: 'document',
            source: { type: 'base64', media_type: 'application/pdf', data: PDF_BASE64 },
            title: 'Forecast of May.pdf',
          },
        ],
      },
      {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: thought && 'text' in thought && thought.text, signature: signatureOf(thought) },
          ...tool_calls.map(({ id, function: { name } }) => ({ type: 'tool_use', id, name, input: INPUT })),
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: tool_calls[0]?.id, content: '21 °C' },
          { type: 'tool_result', tool_use_id: tool_calls[1]?.id, content: [{ type: 'text', text: 'noon' }] },
        ],
      },
    ],
    tools: COMMON.tools.map(({ function: { name } }) => ({ name, description: 'Looks.', input_schema: PARAMETERS })),
    output_config: { effort: 'low', format: { type: 'json_schema', schema: SCHEMA } },
  }),
  bedrock: ({ tool_calls = [], reasoning_details: [thought] = [] }) => ({
    messages: [
      {
        role: 'user',
        content: [
          { text: 'Compare.' },
          { image: { format: 'png', source: { bytes: IMAGE_BASE64 } } },
          { document: { format: 'pdf', name: 'Document 1', source: { bytes: PDF_BASE64 } } },
        ],
      },
      {
        role: 'assistant',
        content: [
          {
            reasoningContent: {
              reasoningText: {
                text: thought && 'text' in thought && thought.text,
                signature: signatureOf(thought),
              },
            },
          },
          ...tool_calls.map(({ id, function: { name } }) => ({ toolUse: { toolUseId: id, name, input: INPUT } })),
        ],
      },
      {
        role: 'user',
        content: [
          { toolResult: { toolUseId: tool_calls[0]?.id, content: [{ text: '21 °C' }] } },
          { toolResult: { toolUseId: tool_calls[1]?.id, content: [{ text: 'noon' }] } },
        ],
      },
    ],
    toolConfig: {
      tools: COMMON.tools.map(({ function: { name } }) => ({
        toolSpec: { name, description: 'Looks.', inputSchema: { json: PARAMETERS } },
      })),
    },
    outputConfig: {
      effort: 'low',
      textFormat: {
        type: 'json_schema',
        structure: { jsonSchema: { name: 'report', schema: JSON.stringify(SCHEMA) } },
      },
    },
  }),
};

type Thought = NonNullable<CompletionResult['reasoning_details']>[number];
const signatureOf = (thought: Thought | undefined): string | undefined =>
  thought?.type === 'reasoning.text' ? thought.signature : undefined;

describe('a dialogue with tools', () => {
  let sandbox: Sandbox;
  const adapters: ProviderAdapter[] = [];
  beforeAll(async () => {
    sandbox = await createSandbox({ delayMs: 0, acceptAnyKey: true, record: { limit: 100, keys: 'clear' } });
  });
  afterAll(async () => {
    await Promise.all(adapters.map((adapter) => adapter.close()));
    await sandbox.close();
  });

  const ask = async (vendor: (typeof VENDORS)[number], messages: unknown[]): Promise<CompletionResult> => {
    const adapter = vendor.open(sandbox.providerUrls[vendor.provider]);
    adapters.push(adapter);
    const request = completionRequest.parse({ ...COMMON, messages });
    const outcome = await adapter.complete({
      request: JSON.parse(JSON.stringify(request)) as CompletionRequest,
      userKey: vendor.userKey,
      traceparent: null,
      timeoutMs: 10_000,
      signal: new AbortController().signal,
    });
    if (outcome.kind !== 'completed' || 'bytes' in outcome.result) throw new Error(JSON.stringify(outcome));
    return outcome.result;
  };

  const talk = async (vendor: (typeof VENDORS)[number]) => {
    const first = await ask(vendor, [QUESTION]);
    const [one, other] = first.tool_calls ?? [];
    const last = await ask(vendor, [
      QUESTION,
      first,
      { role: 'tool', tool_call_id: one?.id, content: '21 °C' },
      { role: 'tool', tool_call_id: other?.id, content: [{ type: 'text', text: 'noon' }] },
    ]);
    return { first, last, sent: sandbox.calls.at(-1)?.body };
  };

  test.each(THREE)('$provider gets each part of it in its own form', async (vendor) => {
    const { first, sent } = await talk(vendor);
    expect(sent).toMatchObject(wires[vendor.provider]?.(first) ?? {});
  });

  test('and its neutral results are the same on all three', async () => {
    const results = [];
    for (const vendor of THREE) {
      const { first, last } = await talk(vendor);
      const { tool_calls = [], reasoning_details: _thoughts, ...rest } = first;
      const calls = tool_calls.map(({ id: _id, ...call }) => call);
      const { reasoning_details: _later, ...answer } = last;
      results.push({ ...rest, calls, answer });
    }
    const called = (name: string) => ({ type: 'function', function: { name, arguments: JSON.stringify(INPUT) } });
    const expected = {
      role: 'assistant',
      content: '',
      finish_reason: 'tool_calls',
      calls: [called('get_weather'), called('get_time')],
      answer: { role: 'assistant', content: '{"warm":true,"because":"sandbox"}', finish_reason: 'stop' },
    };
    expect(results).toEqual([expected, expected, expected]);
  });
});
