/** What a refusal may quote of the request: searched for whatever its place is, and in no time that others would notice. */
import { expect, test } from 'vitest';
import { secretsIn } from '../../../providers/call/body-secrets.ts';
import { scrubDetail } from '../../../providers/call/scrub-detail.ts';

const SECRET = 'tok-0123456789';
const shown = (body: unknown, message: string): string | null => {
  const secrets = secretsIn(Buffer.from(JSON.stringify(body)));
  return secrets && scrubDetail(message, secrets);
};

test.each([
  { authorization: SECRET },
  { authorization_token: SECRET },
  { accessToken: SECRET },
  { 'x-api-key': SECRET },
  { apiKey: SECRET },
  { clientSecret: [{ value: SECRET }] },
  { headers: { 'X-Anything': SECRET } },
  { extra_headers: [[SECRET]] },
  { credentials: { a: SECRET } },
  { server_url: `https://mcp.example/sse?key=${SECRET}` },
  { server_url: `https://user:${SECRET}@mcp.example/sse` },
  { image_url: { url: `https://bucket.example/a.png?sig=${SECRET}` } },
])('what stands in %o is not shown', (member) => {
  expect(shown({ tools: [member] }, `bad value ${SECRET}`)).toBeNull();
  expect(shown({ tools: [member] }, 'no such model')).toBe('no such model');
});

test('other text is shown, and an address without its query', () => {
  expect(shown({ model: 'model-abcdef', max_tokens: 5 }, 'no model-abcdef')).toBe('no model-abcdef');
  const server_url = 'https://mcp.example/sse?x=1234567';
  expect(shown({ server_url }, 'nobody at https://mcp.example/sse')).toBe('nobody at https://mcp.example/sse');
});

test.each([
  ['one', { authorization: 'zq'.repeat(4_000_000) }],
  ['many', { headers: Array.from({ length: 100_000 }, (_, index) => `value-${index}-${'q'.repeat(40)}`) }],
])('%s of millions of characters is not searched for: nothing is shown', (_, body) => {
  const before = process.cpuUsage();
  expect(shown(body, 'The model does not exist. '.repeat(10))).toBeNull();
  expect(process.cpuUsage(before).user / 1_000).toBeLessThan(150);
});
