import { expect, test } from 'vitest';
import { takenWebhookUrl } from '../../../api/intake/taken-webhook-url.ts';

const webhooks = { allowPrivate: false, retryScheduleMs: [1] };
const refusalOf = (url: string, production: boolean): string => {
  try {
    return takenWebhookUrl(url, 'url', { production, webhooks });
  } catch (error) {
    return error instanceof Error ? error.message : '';
  }
};
const ADVICE = 'To try it on this machine, start the gateway with WEBHOOK_ALLOW_PRIVATE=true.';

test.each([
  ['http://127.0.0.1:5999', 'The webhook URL must begin with https://.'],
  ['https://localhost/hooks', 'The webhook URL must name a public host, with a full domain name.'],
])('a developer who gives %s is told how it can be tried here; in production nobody is', (url, refusal) => {
  expect(refusalOf(url, false)).toBe(`${refusal} ${ADVICE}`);
  expect(refusalOf(url, true)).toBe(refusal);
});

test('what is refused for any other reason comes without that advice', () => {
  expect(refusalOf('https://user:word@localhost/', false)).toMatch(/no user and no password.*instead\.$/);
});
