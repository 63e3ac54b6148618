import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildEventBody } from '../../../shared/domain/events/event-body.ts';
import type { JobId } from '../../../shared/domain/ids.ts';
import { toJob } from '../../../shared/domain/jobs/job.ts';
import type { Job } from '../../../shared/domain/jobs/schema.ts';
import { isFinal, JOB_STATUSES } from '../../../shared/domain/jobs/states.ts';
import { JOB_EVENTS } from '../../../shared/domain/webhooks/event-types.ts';

const LIMIT = 256 * 1_024;
const occurredAtMs = Date.parse('2026-11-22T12:00:00.123Z');
// A cast because the id is nobody's.
const JOB = toJob({
  id: 'job_1' as JobId,
  record: { status: 'completed', created: '0', deadline: '0' },
  queue: null,
  result: null,
});
const bodyOf = (fields: Partial<Job>) =>
  buildEventBody({ type: 'job.completed', occurredAtMs, data: { ...JOB, ...fields } });
const { result: _, ...WITHOUT_RESULT } = JOB;
const resultOf = (content: string) => ({ role: 'assistant', content, finish_reason: 'stop' }) as const;

describe('the body of an event', () => {
  test('is type, timestamp and the object as it is', () => {
    const fields = { result: resultOf('Hi.'), metadata: { a: 'b' } };
    expect(bodyOf(fields)).toBe(
      `{"type":"job.completed","timestamp":"2026-11-22T12:00:00.123Z","data":${JSON.stringify({ ...JOB, ...fields })}}`,
    );
  });

  test('of a test is an empty object', () => {
    expect(buildEventBody({ type: 'webhook.test', occurredAtMs, data: null })).toBe(
      '{"type":"webhook.test","timestamp":"2026-11-22T12:00:00.123Z","data":{}}',
    );
  });

  test('has the result up to exactly 256 KiB', () => {
    const room = LIMIT - Buffer.byteLength(bodyOf({ result: resultOf('') }));
    const fits = bodyOf({ result: resultOf('a'.repeat(room)) });
    expect(Buffer.byteLength(fits)).toBe(LIMIT);
    expect(JSON.parse(fits).data).toEqual({ ...JOB, result: resultOf('a'.repeat(room)) });
    const cut = bodyOf({ result: resultOf('a'.repeat(room + 1)) });
    expect(JSON.parse(cut).data).toEqual({ ...WITHOUT_RESULT, result_omitted: true });
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
        const data = { ...JOB, result: resultOf(text), metadata: { ...tags } };
        const whole = JSON.stringify({ type: 'job.completed', timestamp: '2026-11-22T12:00:00.123Z', data });
        const body = bodyOf(data);
        expect(Buffer.byteLength(body)).toBeLessThanOrEqual(LIMIT);
        if (Buffer.byteLength(whole) <= LIMIT) {
          wholes++;
          expect(body).toBe(whole);
        } else {
          cuts++;
          expect(JSON.parse(body).data).toEqual(
            JSON.parse(JSON.stringify({ ...WITHOUT_RESULT, metadata: data.metadata, result_omitted: true })),
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
    const fields = { result: null, metadata: { long: 'x'.repeat(LIMIT) } };
    expect(JSON.parse(bodyOf(fields)).data).toEqual({ ...JOB, ...fields });
  });
});

test('there is one event for each final state of a job', () => {
  expect([...JOB_EVENTS].sort()).toEqual(
    JOB_STATUSES.filter(isFinal)
      .map((status) => `job.${status}`)
      .sort(),
  );
});
