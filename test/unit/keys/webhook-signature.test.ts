import { createHmac } from 'node:crypto';
import { inspect } from 'node:util';
import fc from 'fast-check';
import OpenAI from 'openai';
import { Webhook } from 'standardwebhooks';
import { describe, expect, test } from 'vitest';
import { Secret } from '../../../shared/keys/secret.ts';
import { drawWebhookSecret, parseWebhookSecret, signWebhook } from '../../../shared/keys/signing/sign.ts';

const BYTES = Buffer.from(Array.from({ length: 32 }, (_, index) => (index * 37) % 256));
const TEXT = `whsec_${BYTES.toString('base64')}`;
const known = parseWebhookSecret(new Secret(TEXT)) ?? expect.unreachable('a good secret was refused');

describe('a webhook secret', () => {
  test('is whsec_ and 32 fresh bytes, which its own parser takes', () => {
    const texts = Array.from({ length: 50 }, () => drawWebhookSecret().reveal());
    expect(new Set(texts).size).toBe(50);
    for (const text of texts) {
      expect(text).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
      expect(parseWebhookSecret(new Secret(text))?.reveal()).toBe(text);
    }
  });

  test('is shown by no printer', () => {
    expect(`${inspect(known)}${JSON.stringify({ known })}${String(known)}`).not.toContain(TEXT.slice(6, 12));
  });

  test.each([
    '',
    'whsec_',
    BYTES.toString('base64'),
    `whsec_${BYTES.subarray(1).toString('base64')}`,
    `whsec_${Buffer.alloc(33, 7).toString('base64')}`,
    `whsec_${Buffer.concat([BYTES, BYTES]).toString('base64')}`,
    `whsec_${Buffer.alloc(24, 7).toString('base64')}`,
    `whsec_${BYTES.toString('base64url')}`,
    `whsec_${BYTES.toString('hex')}`,
    `WHSEC_${BYTES.toString('base64')}`,
    `whsec_${BYTES.toString('base64').slice(0, -1)}`,
    `whsec_${BYTES.toString('base64')}=`,
    `whsec_${BYTES.toString('base64')}\n`,
    ` whsec_${BYTES.toString('base64')}`,
    `whsec_ ${BYTES.toString('base64')}`,
    `whsec_${BYTES.toString('base64').slice(0, -2)}B=`,
    `whsec_${'='.repeat(44)}`,
    `whsec_${'\u0000'.repeat(44)}`,
  ])('is none in %j', (text) => {
    expect(parseWebhookSecret(new Secret(text))).toBeNull();
  });
});

describe('a signature', () => {
  test('is the HMAC-SHA256 of id, timestamp and body, with full stops between them', () => {
    const expected = createHmac('sha256', BYTES).update('msg_1.1790000000.{"a":"ü"}', 'utf8').digest('base64');
    expect(signWebhook({ id: 'msg_1', timestampSeconds: 1_790_000_000, body: '{"a":"ü"}' }, [known])).toBe(
      `v1,${expected}`,
    );
  });

  test('of each secret stands in the header, in their order', () => {
    const other = drawWebhookSecret();
    const message = { id: 'msg_1', timestampSeconds: 1_790_000_000, body: '{}' };
    expect(signWebhook(message, [other, known])).toBe(
      `${signWebhook(message, [other])} ${signWebhook(message, [known])}`,
    );
  });

  test('verifies for two independent verifiers, whatever the body holds', async () => {
    const openai = new OpenAI({ apiKey: 'sk-none' });
    const timestampSeconds = Math.floor(Date.now() / 1_000);
    const body = fc.json({ stringUnit: 'binary' });
    const id = fc.stringMatching(/^[A-Za-z0-9_-]{1,40}$/);
    await fc.assert(
      fc.asyncProperty(body, id, async (text, messageId) => {
        const headers = {
          'webhook-id': messageId,
          'webhook-timestamp': String(timestampSeconds),
          'webhook-signature': signWebhook({ id: messageId, timestampSeconds, body: text }, [
            drawWebhookSecret(),
            known,
          ]),
        };
        expect(new Webhook(TEXT).verify(text, headers)).toEqual(JSON.parse(text));
        await openai.webhooks.verifySignature(text, headers, TEXT);
        expect(() => new Webhook(TEXT).verify(`${text} `, headers)).toThrow();
        expect(() => new Webhook(TEXT).verify(text, { ...headers, 'webhook-id': `${messageId}x` })).toThrow();
      }),
      { numRuns: 50 },
    );
  });

  test.each(['', 'msg.1', 'msg 1', 'msg_1\n', 'ü'])('is not made for the id %j', (id) => {
    expect(() => signWebhook({ id, timestampSeconds: 1, body: '{}' }, [known])).toThrow(
      new RangeError('a webhook id holds letters, digits, "_" and "-" only'),
    );
  });

  test.each([1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])('is not made for the time %d', (timestampSeconds) => {
    expect(() => signWebhook({ id: 'msg_1', timestampSeconds, body: '{}' }, [known])).toThrow(
      new RangeError('timestampSeconds must be a whole number'),
    );
  });
});
