import { ADMIN_TOKEN } from '../support/clients/operator.ts';
import type { startGateway } from '../support/processes/gateway.ts';

/** A gateway whose limits are far away: what is drawn shall meet the rest of it. */
export const FUZZED = {
  env: { ADMIN_TOKEN, RATE_LIMIT_RPM: '1000000', MAX_QUEUED: '1000000' },
} satisfies Parameters<typeof startGateway>[0];
