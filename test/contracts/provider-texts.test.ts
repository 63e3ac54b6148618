/** The two readers of what a provider writes: its wish to wait and its explanation. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Secret } from '../../shared/crypto/secret.ts';
import { retryAfterMs } from '../../worker/providers/retry-after.ts';
import { scrubDetail } from '../../worker/providers/scrub-detail.ts';

describe('retryAfterMs', () => {
  const now = Date.parse('2026-11-22T10:00:00Z');
  test.each([
    [{ 'retry-after': '2' }, 2_000],
    [{ 'retry-after': ' 0.5 ' }, 500],
    [{ 'retry-after': '0' }, 0],
    [{ 'retry-after': 'Sun, 22 Nov 2026 10:00:30 GMT' }, 30_000],
    [{ 'retry-after': 'Sun, 22 Nov 2026 09:00:00 GMT' }, 0],
    [{ 'retry-after-ms': '15', 'retry-after': '9' }, 15],
    [{ 'retry-after-ms': 'soon', 'retry-after': '9' }, 9_000],
    [{ 'retry-after': '9'.repeat(400) }, 86_400_000],
    [{ 'retry-after': '-5' }, null],
    [{ 'retry-after': 'soon' }, null],
    [{ 'retry-after': '' }, null],
    [{}, null],
  ])('reads %o as %s ms', (headers: Record<string, string>, expected) => {
    expect(retryAfterMs((name) => headers[name] ?? null, now)).toBe(expected);
  });
});

describe('scrubDetail', () => {
  test.each([
    ["Unsupported parameter: 'max_tokens'.", "Unsupported parameter: 'max_tokens'."],
    [
      'The model `anthropic.claude-3-5-sonnet-20241022-v2:0` is gone.',
      'The model `anthropic.claude-3-5-sonnet-20241022-v2:0` is gone.',
    ],
    ['Two\r\nlines\u0000 and\tmore', 'Two lines and more'],
    ['Incorrect API key provided: sk-proj-ab.', 'Incorrect API key provided: [removed]'],
    ['Got abcd****wxyz from you', 'Got [removed] from you'],
    ['Authorization: Bearer abc', 'Authorization: [removed]'],
    ['by AKIAIOSFODNN7EXAMPLE today', 'by [removed] today'],
    ['token 0123456789abcdef0123456789abcdef', 'token [removed]'],
  ])('turns %j into %j', (text, expected) => {
    expect(scrubDetail(text, null)).toBe(expected);
  });

  test('is at most 300 characters long', () => {
    expect(scrubDetail('so long '.repeat(1_000), null)?.length).toBeLessThanOrEqual(300);
  });

  test('nothing left is no detail', () => {
    expect(scrubDetail(' \n ', null)).toBeNull();
  });

  test('no six characters of a user’s key pass, whatever is around them', () => {
    const part = fc.string({ maxLength: 40 });
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9]{24,48}$/), fc.nat(20), part, part, (tail, start, before, after) => {
        const key = new Secret(`sk-${tail}`);
        const shown = scrubDetail(`${before}${tail.slice(start % 18, (start % 18) + 6)}${after}`, key);
        expect(shown === null || !key.isPartlyIn(shown)).toBe(true);
      }),
    );
  });
});
