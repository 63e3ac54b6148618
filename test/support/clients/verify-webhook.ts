/** Two verifiers that share nothing with the gateway, nor with each other. */
import OpenAI from 'openai';
import { Webhook } from 'standardwebhooks';
import type { Received } from '../network/receiver.ts';

const sdk = new OpenAI({ apiKey: 'not used', webhookSecret: 'set at each call' });

/** The names of the verifiers that refuse it under every one of these secrets. */
export const refusedBy = async ({ body, headers }: Received, secrets: readonly string[]): Promise<string[]> => {
  // Only texts are among the headers that count.
  const plain = headers as Record<string, string>;
  const standard = secrets.some((secret) => {
    try {
      return Boolean(new Webhook(secret).verify(body, plain));
    } catch {
      return false;
    }
  });
  const tries = secrets.map((secret) => sdk.webhooks.verifySignature(body, plain, secret));
  const openai = (await Promise.allSettled(tries)).some(({ status }) => status === 'fulfilled');
  return [...(standard ? [] : ['standardwebhooks']), ...(openai ? [] : ['openai'])];
};
