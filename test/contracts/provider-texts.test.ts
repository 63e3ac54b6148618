/** The two readers of what a provider writes: its wish to wait and its explanation. */
import { hash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { scrubDetail } from '../../providers/call/scrub-detail.ts';
import { retryAfterMs } from '../../shared/domain/waits/retry-after.ts';
import { Secret } from '../../shared/keys/secret.ts';

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
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
    'The model `anthropic.claude-3-5-sonnet-20241022-v2:0` is gone.',
    "The model 'ft:gpt-4o-mini-2024-07-18:acme-research:support-bot:9xAbCdEf' does not exist or you do not have access to it.",
    'Model meta.llama4-maverick-17b-instruct-v1:0 or qwen.qwen3-coder-480b-a35b-v1:0 or us.deepseek.r1-v1:0 is legacy.',
    'Model mistral.mixtral-8x7b-instruct-v0:1 is not available in eu-central-1.',
    'See https://help.openai.com/en/articles/6891831-error-code-429-you-exceeded-your-current-quota for more.',
    'See https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-supported-models-features.html',
    'messages.3.content.0.tool_result.cache_control.ephemeral_1h_input_tokens: Extra inputs are not permitted',
    "This model's maximum context length is 128000 tokens. However, your messages resulted in 1234567 tokens.",
    '您的账户余额不足，请前往控制台充值后重试。如果您认为这是一个错误，请联系我们的客户支持团队并提供您的请求编号以便我们进一步为您排查问题，感谢您的理解与支持。',
    'このモデルはご利用のリージョンでは現在サポートされていないため、別のモデルを選択するか、リージョンを変更してからもう一度お試しください。詳しくはドキュメントをご覧ください。',
    'You need to provide your API key in an Authorization header using Bearer auth.',
    'ServiceQuotaExceededException of BedrockRuntimeServiceException: INVALID_PAYMENT_INSTRUMENT',
    'Install sk-learn, see hf-transformers-model, fw_model: or r8-foo; pk-list and rk-table are names too.',
    'messages.1: Unexpected role "system"; role: tool_result stands after role user.',
    'You sent 1,234,567 tokens at 1732800000123, request 20261128120000.',
    'Use **max_tokens** … or wait… until 2026-12-01T00:00:00Z.',
  ])('leaves %j as it is', (text) => {
    expect(scrubDetail(text, [])).toBe(text);
  });

  test.each([
    ['Two\r\nlines\u0000 and\tmore', 'Two lines and more'],
    ['Incorrect API key provided: sk-proj-ab.', 'Incorrect API key provided: [removed]'],
    ['Got abcd****wxyz from you', 'Got [removed] from you'],
    ['Got ***wxyz, ••••wxyz, abcd…wxyz and ...wxyz', 'Got [removed], [removed], [removed] and [removed]'],
    ['Authorization: Bearer abc', 'Authorization: [removed]'],
    ['by AKIAIOSFODNN7EXAMPLE today', 'by [removed] today'],
    ['token 0123456789abcdef0123456789abcdef', 'token [removed]'],
    ['secret wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', 'secret [removed]'],
    ['密钥sk-proj-abcdef无效', '密钥[removed]无效'],
    ['User: arn:aws:iam::123456789012:user/gateway is not authorized', 'User: [removed] is not authorized'],
    ['at https://me:secret@host/path', 'at https://[removed]@host/path'],
    ['account 123456789012 or 1234-5678-9012 has none', 'account [removed] or [removed] has none'],
    [
      'Your account 123456789012 may not (role bedrock-prod-gateway, vpce-0a1b2c3d4e5f67890).',
      'Your account [removed] may not (role [removed], [removed]).',
    ],
    ['assumed role "Gateway1" of AROAIOSFODNN7EXAMPLE:session', 'assumed role "[removed]" of [removed]:session'],
    ['s%6B-proj-abc, &#115;k-proj-abc, \\u0073k-proj-abc', '[removed], [removed], [removed]'],
    ['s\u200bk-pro\u2060j-abc and %2573k-ant-abc', '[removed] and [removed]'],
    ['sk-abcdefghijklmnopqrst, gsk_abc1 and sk-aBc', '[removed], [removed] and [removed]'],
    ['&#9999999; &#x110000; \\u{110000} \\xzz %zz %C3', '&#9999999; &#x110000; \\u{110000} \\xzz %zz %C3'],
    ['id 550e8400-e29b-41d4-a716-446655440000', 'id [removed]'],
    ['-----BEGIN PRIVATE KEY-----\nMIIEvQ', '[removed]'],
  ])('turns %j into %j', (text, expected) => {
    expect(scrubDetail(text, [])).toBe(expected);
  });

  test.each(['hex', 'base64', 'base64url'] as const)('a random key in %s does not pass', (encoding) => {
    const keys = Array.from({ length: 5_000 }, (_, index) => hash('sha256', `key ${index}`, encoding).slice(0, 40));
    const passed = keys.filter((key) => scrubDetail(`The key ${key} is wrong.`, [])?.includes(key.slice(8, 24)));
    // One that happens to read like a name is not told from one; a user's own key is known, and never passes.
    expect(passed.length / keys.length).toBeLessThan(0.005);
  });

  test('a secret of AWS does not pass, wherever it stands', () => {
    const secrets = Array.from({ length: 20_000 }, (_, index) =>
      hash('sha512', `secret ${index}`, 'base64').slice(0, 40),
    );
    for (const secret of secrets) {
      for (const text of [
        `The secret ${secret} is wrong.`,
        `SecretAccessKey=${secret}`,
        `"${secret}",`,
        `a/${secret}/b`,
      ])
        expect(scrubDetail(text, [])).not.toContain(secret.slice(8, 20));
    }
  });

  const inEvery = (form: (character: string, code: number) => string) => (text: string) =>
    Array.from(text)
      .map((character) => form(character, character.charCodeAt(0)))
      .join('');
  const hex = (code: number, digits: number): string => code.toString(16).padStart(digits, '0');
  test.each<[string, (text: string) => string]>([
    ['as in a URL', inEvery((_, code) => `%${hex(code, 2)}`)],
    ['as in a URL in a URL', inEvery((_, code) => `%25${hex(code, 2)}`)],
    ['as in HTML', inEvery((_, code) => `&#${code};`)],
    ['as in HTML, by hexadecimal numbers', inEvery((_, code) => `&#x${hex(code, 2)};`)],
    ['as in HTML without an end', inEvery((_, code) => `&#${String(code).padStart(7, '0')}`)],
    ['as in JSON', inEvery((_, code) => `\\u${hex(code, 4)}`)],
    ['as in JavaScript', inEvery((_, code) => `\\u{${hex(code, 1)}}`)],
    ['as in C', inEvery((_, code) => `\\x${hex(code, 2)}`)],
    ['with its first character encoded', (text) => `%${hex(text.charCodeAt(0), 2)}${text.slice(1)}`],
    ['with marks that have no width between', inEvery((character) => `${character}\u200b`)],
    ['with soft hyphens between', inEvery((character) => `${character}\u00ad`)],
    ['with commas between', inEvery((character) => `${character},`)],
    ['with blanks and quotes between', inEvery((character) => `"${character}" `)],
    ['with line breaks between', inEvery((character) => `${character}\r\n`)],
    ['in capitals', (text) => text.toUpperCase()],
    ['in wide letters', inEvery((character, code) => (code > 32 ? String.fromCharCode(code + 0xfee0) : character))],
  ])('a user’s key %s does not pass', (_, disguise) => {
    const tail = 'Qz7Lk2Vw9Xb4Tn8Rj5Hm3Pc6';
    for (const prefix of ['sk-', 'sk-proj-', 'sk-ant-api03-', '']) {
      const key = new Secret(prefix + tail);
      for (const part of [prefix + tail, tail, tail.slice(0, 12), tail.slice(-10)]) {
        const shown = scrubDetail(`Your key is ${disguise(part)} today.`, [key]);
        expect(shown ?? '').not.toContain(disguise(part.slice(-8)).trim());
        const letters = (shown ?? '').normalize('NFKC').replace(/[^A-Za-z0-9]/g, '');
        expect(letters.toLowerCase()).not.toContain(part.slice(-8).toLowerCase());
      }
    }
  });

  test('what is cut off leaves no part of a key behind', () => {
    const key = 'Zq8'.repeat(40);
    expect(scrubDetail(`${'so long '.repeat(245)}${key}`, [])).not.toContain('Zq8');
    expect(scrubDetail(`${key} `.repeat(17), [])).not.toContain('Zq8');
  });

  test('is at most 300 characters long', () => {
    expect(scrubDetail('so long '.repeat(1_000), [])?.length).toBeLessThanOrEqual(300);
  });

  test('nothing left is no detail', () => {
    expect(scrubDetail(' \n ', [])).toBeNull();
  });

  test('no six characters of a user’s key pass, whatever is around them', () => {
    const part = fc.string({ maxLength: 40 });
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9]{24,48}$/), fc.nat(20), part, part, (tail, start, before, after) => {
        const key = new Secret(`sk-${tail}`);
        const shown = scrubDetail(`${before}${tail.slice(start % 18, (start % 18) + 6)}${after}`, [key]);
        expect(shown === null || !key.isPartlyIn(shown)).toBe(true);
      }),
    );
  });
});
