/** A request that its provider always answers with 429 is that request's trouble: on the platform's account, other tenants hardly notice. */
import { expect, test } from 'vitest';
import { expectInvariants } from '../../support/invariants/invariants.ts';
import { outcomes } from '../../support/invariants/job-facts.ts';
import { KEYS } from '../../support/processes/gateway.ts';
import { withGateway } from '../../support/processes/with-gateway.ts';

test.concurrent('an impossible job among neighbours fails with the provider’s answer after few calls, and holds up two tenants for one step', {
  timeout: 90_000,
}, async () => {
  await withGateway(
    { env: { WORKER_CONCURRENCY: '8' }, sandbox: { record: { limit: 5_000, keys: 'clear' } } },
    async (gateway) => {
      const impossible = await gateway.submit('never possible sandbox:status=429 retry-after=0');
      let isOver = false;
      const ended = gateway.finished(impossible.id).finally(() => {
        isOver = true;
      });
      const lasted: number[] = [];
      const neighbour = async (tenant: keyof typeof KEYS): Promise<void> => {
        const key = KEYS[tenant];
        for (let count = 0; !isOver; count++) {
          const startMs = performance.now();
          const { id } = await gateway.submit(`neighbour ${tenant} ${count} sandbox:delay=50`, { key });
          expect((await gateway.finished(id, { key })).status).toBe('completed');
          lasted.push(performance.now() - startMs);
        }
      };
      await Promise.all([neighbour('acme'), neighbour('beta'), neighbour('gamma')]);

      const failed = await ended;
      expect(failed).toMatchObject({
        status: 'failed',
        error: { code: 'provider_rejected_request', retryable: false, provider_status: 429 },
      });
      expect(outcomes(failed)).toEqual(['throttled', 'throttled', 'throttled', 'throttled']);
      expect(gateway.callsWith('never possible')).toHaveLength(4);
      expect(lasted.length).toBeGreaterThan(30);
      // One park of a second, seen by a tick each second: at most one job of each neighbour waits for it.
      expect(lasted.filter((ms) => ms > 1_000).length).toBeLessThanOrEqual(6);
      expect(Math.max(...lasted)).toBeLessThan(5_000);
      await expectInvariants(gateway.redis.url);
    },
  );
});

test.concurrent('a job that is always throttled ends after MAX_THROTTLES calls', { timeout: 60_000 }, async () => {
  await withGateway({ env: { MAX_THROTTLES: '2' } }, async (gateway) => {
    const job = await gateway.finished((await gateway.submit('limited sandbox:status=429 retry-after=0')).id);
    expect(job).toMatchObject({ status: 'failed', error: { code: 'provider_rate_limited', retryable: true } });
    expect(outcomes(job)).toEqual(['throttled', 'throttled']);
  });
});
