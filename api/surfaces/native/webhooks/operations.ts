import { listDeliveries, redeliver, redeliverFailed } from './deliveries.ts';
import { readSecret, rotateSecret } from './secret.ts';
import { testWebhook } from './test-webhook.ts';

export const WEBHOOK_OPERATIONS = [listDeliveries, redeliverFailed, redeliver, testWebhook, readSecret, rotateSecret];
