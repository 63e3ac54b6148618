/** The secret that signs a tenant’s webhooks. */
import { z } from 'zod';
import { NAMED } from '../../../../shared/domain/wire.ts';
import type { WebhookSecretStore, WebhookSecrets } from '../../../../shared/storage/webhooks/webhook-secret-store.ts';
import { operation } from '../../../access/operation.ts';
import { type ReadJson, readOptionalJson } from '../../../http/body/read-json.ts';
import { parseOr } from '../../../http/query/parse-or.ts';
import type { TakeRequest } from '../take-request.ts';
import { type WebhookSecret, webhookSecret } from './schema.ts';

const secretRotation = z
  .strictObject({ overlap_seconds: z.int().min(0).max(604_800).default(86_400) })
  .register(NAMED, { id: 'WebhookSecretRotation' });

const secretsJson = ({ secret, createdAt, previous }: WebhookSecrets): WebhookSecret => ({
  secret: secret.reveal(),
  created_at: createdAt,
  previous: previous && { secret: previous.secret.reveal(), expires_at: previous.expiresAt },
});

type Needs = {
  webhookSecrets: WebhookSecretStore;
  readJson: ReadJson;
  takeRequest: TakeRequest;
};

export const readSecret = operation({
  method: 'GET',
  path: '/v1/webhooks/secret',
  access: 'webhooks:manage',
  summary: 'Reads the secret that signs this tenant’s webhooks',
  answers: { 200: { description: 'The secret.', schema: webhookSecret } },
  handle:
    ({ webhookSecrets }: Needs) =>
    async (c) =>
      c.json(secretsJson(await webhookSecrets.read(c.get('tenant'), c.get('caller').platformKey))),
});

export const rotateSecret = operation({
  method: 'POST',
  path: '/v1/webhooks/secret/rotate',
  access: 'webhooks:manage',
  summary: 'Draws a new secret; the one before signs too for a while',
  body: { schema: secretRotation, optional: true },
  answers: { 200: { description: 'The new secret, and the one before.', schema: webhookSecret } },
  errors: ['overloaded'],
  rateLimited: true,
  handle:
    ({ webhookSecrets, readJson, takeRequest }: Needs) =>
    async (c) => {
      const tenant = c.get('tenant');
      const { overlap_seconds } = parseOr('invalid_body', secretRotation, await readOptionalJson(c, tenant, readJson));
      await takeRequest(c);
      const rotation = { overlapMs: overlap_seconds * 1_000, platformKey: c.get('caller').platformKey };
      return c.json(secretsJson(await webhookSecrets.rotate(tenant, rotation)));
    },
});
