/** Errors that come as events of an answer: judged as errors inside a 200 are, and handed on to nobody. */
import { describe, expect, test } from 'vitest';
import type { UserProvider } from '../../../providers/catalogue.ts';
import { EXAMPLES, type StreamedFormat, written } from '../../support/network/stream-examples.ts';
import { KEY, pass, streams, textOf } from './pass-stream.ts';

describe('an error that comes as an event', () => {
  const secret = `I will not serve ${KEY}.`;
  const openaiError = { error: { type: 'server_error', code: null, message: secret } };
  type Row = [UserProvider, StreamedFormat, string, string];
  const overloaded = { type: 'overloaded_error', message: secret };
  const rows: Row[] = [
    ['openai', 'openai.chat', `data: ${JSON.stringify(openaiError)}\n\n`, 'provider_unavailable'],
    ['openai', 'openai.chat', `event: error\ndata: ${JSON.stringify(openaiError)}\n\n`, 'provider_unavailable'],
    [
      'groq',
      'openai.chat',
      `data: ${JSON.stringify({ error: { message: secret, type: 'invalid_request_error', code: 'capacity_exceeded' } })}\n\n`,
      'throttled provider_unavailable',
    ],
    [
      'groq',
      'openai.chat',
      `data: ${JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }], x_groq: { error: secret } })}\n\n`,
      'provider_bad_response',
    ],
    [
      'gemini',
      'openai.chat',
      `data: ${JSON.stringify([{ error: { code: 503, message: secret, status: 'UNAVAILABLE' } }])}\n\n`,
      'provider_unavailable',
    ],
    [
      'gemini',
      'openai.chat',
      `data: ${JSON.stringify({ error: { code: 429, message: secret, status: 'RESOURCE_EXHAUSTED' } })}\n\n`,
      'throttled provider_rate_limited',
    ],
    [
      'mistral',
      'openai.chat',
      `data: ${JSON.stringify({ object: 'error', message: secret, type: 'x', code: null, raw_status_code: 429 })}\n\n`,
      'throttled provider_rate_limited',
    ],
    [
      'openai',
      'openai.responses',
      `event: error\ndata: ${JSON.stringify({ type: 'error', code: 'rate_limit_exceeded', message: secret, param: null, sequence_number: 2 })}\n\n`,
      'throttled provider_rate_limited',
    ],
    [
      'openai',
      'openai.responses',
      `event: error\ndata: ${JSON.stringify({ type: 'error', error: { type: 'rate_limit_error', message: secret }, sequence_number: 2 })}\n\n`,
      'throttled provider_rate_limited',
    ],
    [
      'openai',
      'openai.chat',
      `data: ${JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason: 'error' }], ...openaiError })}\n\n`,
      'provider_unavailable',
    ],
    [
      'openai',
      'openai.responses',
      `data: ${JSON.stringify({ type: 'response.failed', response: { object: 'response', status: 'failed', error: null } })}\n\n`,
      'provider_bad_response',
    ],
    [
      'openai',
      'openai.responses',
      `data: ${JSON.stringify({ type: 'response.failed', response: { object: 'response', status: 'failed', error: { code: 'server_error', message: secret }, usage: null } })}\n\n`,
      'provider_unavailable',
    ],
    [
      'anthropic',
      'anthropic.messages',
      `event: error\ndata: ${JSON.stringify({ type: 'error', error: overloaded })}\n\n`,
      'provider_unavailable',
    ],
  ];

  test.each(rows)('of %s (%s): %s is judged, and handed on to nobody', async (provider, format, error, code) => {
    const contentAt = EXAMPLES[format].findIndex(({ kind }) => kind === 'content');
    for (const [count, billable] of [
      [0, false],
      [contentAt, false],
      [contentAt + 1, true],
    ] as const) {
      const before = EXAMPLES[format].slice(0, count).map((event) => written(event));
      const { outcome, given } = await pass(format, streams(...before, error, text(format)), { provider });
      expect(outcome, `${count}`).toMatchObject({
        kind: code.startsWith('throttled ') ? 'throttled' : 'unavailable',
        code: code.replace('throttled ', ''),
        providerStatus: 200,
        // Of what is no error in a known form nobody knows whether it is billed.
        billable: billable || code === 'provider_bad_response',
      });
      expect(given.map((each) => each.text)).toEqual(before);
      expect(JSON.stringify(outcome)).not.toContain('Zq8');
    }
  });

  test('its words are shown where such an error’s words are', async () => {
    const error = { type: 'error', error: { type: 'invalid_request_error', message: 'Too long.' } };
    const { outcome } = await pass('anthropic.messages', streams(`event: error\ndata: ${JSON.stringify(error)}\n\n`));
    expect(outcome).toMatchObject({ kind: 'rejected', code: 'provider_rejected_request', detail: 'Too long.' });
  });

  const text = (format: StreamedFormat): string => textOf(EXAMPLES[format]);
});
