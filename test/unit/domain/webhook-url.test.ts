import { describe, expect, test } from 'vitest';
import { isReachableAddress, isSameAddress } from '../../../shared/domain/webhooks/public-address.ts';
import { checkWebhookUrl } from '../../../shared/domain/webhooks/webhook-url.ts';

// What is refused stands in the table of test/unit/worker/ssrf-table.ts, where the connector is put to it as well.

const guarded = { allowPrivate: false };

describe('a webhook URL is taken:', () => {
  test.each([
    'https://example.com',
    'https://example.com:443/',
    'https://example.com./hooks',
    'https://a.b.c.example.co.uk/x/y?z=%20#f',
    'https://under_score.example.com/',
    'https://my-hooks--1.example.com/',
    'https://münchen.example/',
    'https://例え.テスト/',
    'https://xn--mnchen-3ya.example/',
    'https://localhost.example.com/',
    'https://internal.example.com/',
    'https://my.locals/',
    'https://93.184.216.34/',
    'https://[2606:2800:220:1:248:1893:25c8:1946]/',
    `https://example.com/${'a'.repeat(2_048 - 'https://example.com/'.length)}`,
  ])('%s', (url) => {
    expect(checkWebhookUrl(url, guarded)).toBeNull();
  });

  test.each(['http://localhost:3000/', 'http://receiver:8080/hooks', 'https://redis/', 'http://[::1]:1/'])(
    'in development, %s',
    (url) => {
      expect(checkWebhookUrl(url, { allowPrivate: true })).toBeNull();
      expect(checkWebhookUrl(url, guarded)).not.toBeNull();
    },
  );
});

test.each([
  'https://canary:canary@example.com/canary',
  'https://example.com:4711/canary',
  'http://canary.example.com/canary',
  'https://canary/canary',
  'https://can..ary/canary',
  'canary',
  `https://example.com/${'canary'.repeat(1_000)}`,
])('a refusal is one sentence and repeats nothing of the URL: %#', (url) => {
  const refusal = checkWebhookUrl(url, guarded);
  expect(refusal).toMatch(/^The webhook URL [^.]+(?:\.[^.]+)*\.$/);
  expect(refusal).not.toMatch(/canary|4711/);
});

test('a URL of 10 MB is refused before it is parsed', () => {
  const startedAt = performance.now();
  expect(checkWebhookUrl(`https://example.com/${'ü'.repeat(10_000_000)}`, guarded)).toContain('2048');
  expect(performance.now() - startedAt).toBeLessThan(50);
});

describe('an address at the edge of a closed range is public:', () => {
  test.each([
    '1.0.0.0',
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '126.255.255.255',
    '128.0.0.0',
    '168.63.129.15',
    '168.63.129.17',
    '169.253.255.255',
    '169.255.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '192.0.1.0',
    '192.167.255.255',
    '192.169.0.0',
    '198.17.255.255',
    '198.20.0.0',
    '223.255.255.255',
    '2001:200::',
    '2003::1',
    '2606:4700:4700::1111',
    '2a00:1450::5eff:a00:1',
    '3ffe:ffff::1',
  ])('%s', (address) => {
    expect(isReachableAddress(address, guarded)).toBe(true);
  });
});

describe('two texts name the same address', () => {
  test.each([
    ['1.2.3.4', '1.2.3.4', true],
    ['2606:4700::1111', '2606:4700:0:0:0:0:0:1111', true],
    ['2606:4700::ABCD', '2606:4700::abcd', true],
    ['1.2.3.4', '1.2.3.5', false],
    ['1.2.3.4', '::ffff:1.2.3.4', false],
    ['1.2.3.4', '', false],
    ['', '', false],
    ['example.com', 'example.com', false],
  ])('%j and %j: %s', (one, other, same) => {
    expect(isSameAddress(one, other)).toBe(same);
  });
});
