/** Every call of the interface, as the app installs it and the OpenAPI document lists it. */
import { PROCESS_OPERATIONS } from './operations/operations.ts';
import { AUDIT_OPERATIONS } from './surfaces/admin/audit/operations.ts';
import { KEY_OPERATIONS } from './surfaces/admin/keys/operations.ts';
import { QUEUE_OPERATIONS } from './surfaces/admin/queues/operations.ts';
import { TENANT_OPERATIONS } from './surfaces/admin/tenants/operations.ts';
import { ANTHROPIC_MODEL_OPERATIONS } from './surfaces/anthropic/models.ts';
import { ANTHROPIC_OPERATIONS } from './surfaces/anthropic/operations.ts';
import { BATCH_OPERATIONS } from './surfaces/native/batches/operations.ts';
import { JOB_OPERATIONS } from './surfaces/native/jobs/operations.ts';
import { USAGE_OPERATIONS } from './surfaces/native/usage/operations.ts';
import { WEBHOOK_OPERATIONS } from './surfaces/native/webhooks/operations.ts';
import { OPENAI_MODEL_OPERATIONS } from './surfaces/openai/models.ts';
import { OPENAI_OPERATIONS } from './surfaces/openai/operations.ts';

export const OPERATIONS = [
  ...JOB_OPERATIONS,
  ...BATCH_OPERATIONS,
  ...OPENAI_OPERATIONS,
  ...OPENAI_MODEL_OPERATIONS,
  ...ANTHROPIC_OPERATIONS,
  ...ANTHROPIC_MODEL_OPERATIONS,
  ...USAGE_OPERATIONS,
  ...WEBHOOK_OPERATIONS,
  ...TENANT_OPERATIONS,
  ...KEY_OPERATIONS,
  ...AUDIT_OPERATIONS,
  ...QUEUE_OPERATIONS,
  ...PROCESS_OPERATIONS,
];
