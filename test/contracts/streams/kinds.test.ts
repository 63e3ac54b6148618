/** Which events say nothing yet that a second attempt could not say in its place. */
import { describe, expect, test } from 'vitest';
import { messageEvents } from '../../../providers/anthropic/message-events.ts';
import { chatEvents } from '../../../providers/call/chat/chat-events.ts';
import type { EventKind } from '../../../providers/call/events/read-events.ts';
import { responseEvents } from '../../../providers/openai/response-events.ts';

const choice = (delta: object | null, finish_reason: string | null = null) => ({
  choices: [{ index: 0, delta, finish_reason }],
});

describe('Chat Completions', () => {
  const read = (data: unknown, hidesUsage = false): EventKind =>
    chatEvents({ hidesUsage, isError: () => false }).read({ name: null, data });

  test.each<[unknown, EventKind]>([
    [choice({ role: 'assistant' }), 'prelude'],
    [choice({ role: 'assistant', content: '', refusal: null, tool_calls: [] }), 'prelude'],
    [choice({}), 'prelude'],
    [choice(null), 'prelude'],
    [choice({ content: null }, ''), 'prelude'],
    [{ choices: [] }, 'prelude'],
    [{ id: 'x' }, 'prelude'],
    [{ choices: [], usage: { prompt_tokens: 1 } }, 'prelude'],
    [choice({ content: ' ' }), 'content'],
    [choice({ role: 'assistant', reasoning_content: 'Hm.' }), 'content'],
    [choice({ tool_calls: [{ index: 0 }] }), 'content'],
    [choice({ refusal: 'No' }), 'content'],
    [choice({ of_tomorrow: 0 }), 'content'],
    [choice({}, 'stop'), 'content'],
    [{ choices: [...choice({}).choices, { index: 1, delta: { content: 'x' } }] }, 'content'],
    [{ choices: 'many' }, 'content'],
    ['text', 'content'],
    ['[DONE]', 'last'],
    [{ error: 'Sorry.' }, 'failure'],
    [{ ...choice({}), error: null }, 'prelude'],
    [{ ...choice({}), x_groq: { id: 'r', usage: {} } }, 'prelude'],
  ])('%j is %s', (data, kind) => {
    expect(read(data)).toBe(kind);
  });

  test('an event that calls itself an error is one', () => {
    const { read: readEvent } = chatEvents({ hidesUsage: false, isError: () => false });
    expect(readEvent({ name: 'error', data: { message: 'Sorry.' } })).toBe('failure');
  });

  test('only a chunk of nothing but usage is hidden', () => {
    const usage = { prompt_tokens: 1, completion_tokens: 1 };
    expect(read({ choices: [], usage }, true)).toBe('hidden');
    expect(read({ choices: [], usage: null }, true)).toBe('prelude');
    expect(read({ ...choice({}, 'stop'), usage }, true)).toBe('content');
    expect(read({ usage }, true)).toBe('prelude');
  });
});

describe('Messages', () => {
  const start = (content_block: object) => ({ type: 'content_block_start', index: 0, content_block });
  test.each<[object, EventKind]>([
    [{ type: 'message_start', message: { type: 'message' } }, 'prelude'],
    [{ type: 'ping' }, 'prelude'],
    [start({ type: 'text', text: '', citations: null }), 'prelude'],
    [start({ type: 'thinking', thinking: '', signature: '' }), 'prelude'],
    [start({ type: 'tool_use', id: 't', name: 'n', input: {} }), 'prelude'],
    [start({ type: 'text', text: 'H' }), 'content'],
    [start({ type: 'thinking', thinking: 'H' }), 'content'],
    [start({ type: 'tool_use', id: 't', name: 'n', input: { a: 1 } }), 'content'],
    [start({ type: 'redacted_thinking', data: 'x' }), 'content'],
    [start({ type: 'server_tool_use', id: 't', name: 'web_search', input: {} }), 'content'],
    [{ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: '' } }, 'content'],
    [{ type: 'content_block_stop', index: 0 }, 'content'],
    [{ type: 'message_delta', delta: {} }, 'content'],
    [{ type: 'of_tomorrow' }, 'content'],
    [{}, 'content'],
    [{ type: 'message_stop' }, 'last'],
    [{ type: 'error', error: {} }, 'failure'],
  ])('%j is %s', (data, kind) => {
    expect(messageEvents().read({ name: null, data })).toBe(kind);
  });

  test('an event goes by its data, and by its name if that says nothing', () => {
    expect(messageEvents().read({ name: 'error', data: { type: 'ping' } })).toBe('prelude');
    expect(messageEvents().read({ name: 'error', data: 'Sorry.' })).toBe('failure');
  });
});

describe('Responses', () => {
  test.each<[string, EventKind]>([
    ['response.created', 'prelude'],
    ['response.queued', 'prelude'],
    ['response.in_progress', 'prelude'],
    ['response.output_item.added', 'prelude'],
    ['response.content_part.added', 'prelude'],
    ['response.reasoning_summary_part.added', 'prelude'],
    ['response.output_text.delta', 'content'],
    ['response.output_item.done', 'content'],
    ['response.web_search_call.searching', 'content'],
    ['response.of_tomorrow', 'content'],
    ['response.completed', 'last'],
    ['response.incomplete', 'last'],
    ['response.failed', 'failure'],
    ['error', 'failure'],
  ])('%s is %s', (type, kind) => {
    expect(responseEvents().read({ name: null, data: { type } })).toBe(kind);
    expect(responseEvents().read({ name: type, data: {} })).toBe(kind);
  });
});
