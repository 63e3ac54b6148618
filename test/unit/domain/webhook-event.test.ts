import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildEventBody } from '../../../shared/domain/events/event-body.ts';
import { isFinal, JOB_STATUSES } from '../../../shared/domain/jobs/states.ts';
import { JOB_EVENTS } from '../../../shared/domain/webhooks/event-types.ts';

const LIMIT = 256 * 1_024;
const occurredAtMs = Date.parse('2026-11-22T12:00:00.123Z');
const bodyOf = (data: Record<string, unknown>) => buildEventBody({ type: 'job.completed', occurredAtMs, data });

describe('the body of an event', () => {
  test('is type, timestamp and the object as it is', () => {
    const data = { id: 'job_1', result: { role: 'assistant', content: 'Hi.' }, metadata: { a: 'b' } };
    expect(bodyOf(data)).toBe(
      '{"type":"job.completed","timestamp":"2026-11-22T12:00:00.123Z","data":{"id":"job_1","result":{"role":"assistant","content":"Hi."},"metadata":{"a":"b"}}}',
    );
  });

  test('has the result up to exactly 256 KiB', () => {
    const room = LIMIT - Buffer.byteLength(bodyOf({ id: 'job_1', result: '' }));
    const fits = bodyOf({ id: 'job_1', result: 'a'.repeat(room) });
    expect(Buffer.byteLength(fits)).toBe(LIMIT);
    expect(JSON.parse(fits).data).toEqual({ id: 'job_1', result: 'a'.repeat(room) });
    const cut = bodyOf({ id: 'job_1', result: 'a'.repeat(room + 1), status: 'completed' });
    expect(JSON.parse(cut).data).toEqual({ id: 'job_1', status: 'completed', result_omitted: true });
  });

  test('counts bytes as they are sent, whatever the result is made of', () => {
    // Characters of one to four bytes, those that JSON escapes, and halves of a pair, which JSON escapes too.
    const unit = fc.constantFrom('a', 'ü', '€', '🚀', '"', '\n', '\u0000', '\ud83d');
    const content = fc.tuple(unit, fc.integer({ min: 1, max: LIMIT })).map(([text, times]) => text.repeat(times));
    const metadata = fc.dictionary(fc.string({ maxLength: 20 }), fc.string({ maxLength: 200 }), { maxKeys: 16 });
    let cuts = 0;
    let wholes = 0;
    fc.assert(
      fc.property(content, metadata, (text, tags) => {
        const data = { id: 'job_1', result: { content: text }, metadata: { ...tags } };
        const whole = JSON.stringify({ type: 'job.completed', timestamp: '2026-11-22T12:00:00.123Z', data });
        const body = bodyOf(data);
        expect(Buffer.byteLength(body)).toBeLessThanOrEqual(LIMIT);
        if (Buffer.byteLength(whole) <= LIMIT) {
          wholes++;
          expect(body).toBe(whole);
        } else {
          cuts++;
          expect(JSON.parse(body).data).toEqual(
            JSON.parse(JSON.stringify({ id: data.id, metadata: data.metadata, result_omitted: true })),
          );
        }
      }),
      {
        numRuns: 200,
        examples: [
          ['a'.repeat(LIMIT), {}],
          ['a', {}],
          ['€'.repeat(LIMIT / 3), {}],
        ],
      },
    );
    expect(Math.min(cuts, wholes)).toBeGreaterThan(0);
  });

  test('does not speak of an omitted result where there was none', () => {
    const data = { id: 'job_1', result: null, error: { message: 'x'.repeat(LIMIT) } };
    expect(JSON.parse(bodyOf(data)).data).toEqual(data);
  });
});

test('there is one event for each final state of a job', () => {
  expect([...JOB_EVENTS].sort()).toEqual(
    JOB_STATUSES.filter(isFinal)
      .map((status) => `job.${status}`)
      .sort(),
  );
});
