/** The audit log of real gateways: what is written of each attempt, and what is not. */
import { describe, expect, test } from 'vitest';
import type { AuditRow } from '../../../shared/domain/audit/audit-row.ts';
import type { ChainReport } from '../../../shared/storage/audit/verify-chain.ts';
import { ADMIN_TOKEN, operate } from '../../support/clients/operator.ts';
import { auditRows } from '../../support/invariants/audit.ts';
import { runCommand } from '../../support/processes/command.ts';
import { KEYS, OPENAI_KEY, userKey } from '../../support/processes/gateway.ts';
import { withGateway } from '../../support/processes/with-gateway.ts';
import { until } from '../../support/until.ts';

/** What ended rows of a job say, oldest first. */
const endings = (rows: AuditRow[], job: string) =>
  rows
    .filter(({ kind, job_id }) => kind === 'attempt_ended' && job_id === job)
    .map(({ attempt, outcome, decision, code }) => [attempt, outcome, decision, code]);
const grants = (rows: AuditRow[], job: string) =>
  rows
    .filter(({ kind, job_id }) => kind === 'attempt_started' && job_id === job)
    .map(({ attempt, decision }) => [attempt, decision]);

describe('of each attempt there is a row before its call and a row of its end,', { timeout: 60_000 }, () => {
  test.concurrent('which name tenant, platform key, job, provider, model and credential', async () => {
    await withGateway({ env: { ADMIN_TOKEN } }, async (gateway) => {
      const operator = operate(gateway);
      const tenant = await operator.tenant();
      const key = await operator.issue(tenant);
      const fields = { model: 'gpt-4o' };
      const own = await gateway.submit('on their own key', { key: key.secret, headers: userKey(), fields });
      const again = await gateway.submit('on the same key', { key: key.secret, headers: userKey(), fields });
      const other = await gateway.submit('of another tenant on the same key', {
        key: KEYS.beta,
        headers: userKey(),
        fields,
      });
      const platform = await gateway.submit('on the platform', {});
      for (const [{ id }, secret] of [
        [own, key.secret],
        [again, key.secret],
        [other, KEYS.beta],
        [platform, KEYS.acme],
      ] as const) {
        await gateway.finished(id, { key: secret });
      }

      const rows = await auditRows(gateway.redis.url);
      const of = ({ id }: { id: string }) => rows.filter(({ job_id }) => job_id === id);
      const attempt = {
        object: 'audit_row',
        tenant: tenant.id,
        platform_key: key.id,
        job_id: own.id,
        attempt: 1,
        provider: 'openai',
        model: 'gpt-4o',
        credential: 'user',
        fingerprint: expect.stringMatching(/^[A-Za-z0-9_-]{16}$/),
      };
      expect(of(own)).toMatchObject([
        { ...attempt, kind: 'attempt_started', decision: 'granted' },
        { ...attempt, kind: 'attempt_ended', decision: 'completed', outcome: 'completed', code: null },
      ]);
      const fingerprints = [own, again, other].map((job) => of(job)[0]?.fingerprint);
      expect(fingerprints[1]).toBe(fingerprints[0]);
      expect(fingerprints[2]).not.toBe(fingerprints[0]);
      expect(of(platform)).toMatchObject(
        ['attempt_started', 'attempt_ended'].map((kind) => ({
          kind,
          tenant: 'acme',
          platform_key: expect.stringMatching(/^config_/),
          provider: 'bedrock',
          credential: 'platform',
          fingerprint: null,
        })),
      );
      expect(JSON.stringify(rows)).not.toContain(OPENAI_KEY.slice(-6));
      for (const secret of [key.secret, KEYS.acme, KEYS.beta])
        expect(JSON.stringify(rows)).not.toContain(secret.slice(-10));
    });
  });

  test.concurrent('whatever it comes to: refused, failed after retries, throttled, cancelled, expired', async () => {
    await withGateway({ env: { MAX_ATTEMPTS: '2' } }, async (gateway) => {
      const refused = await gateway.submit('sandbox:status=401', { headers: userKey(), fields: { model: 'gpt-4o' } });
      const failed = await gateway.submit('sandbox:fail=reset');
      const throttled = await gateway.submit('sandbox:status=429 retry-after=1 times=1', { key: KEYS.beta });
      const expired = await gateway.submit('sandbox:fail=hang', { fields: { deadline_seconds: 2 } });
      const cancelled = await gateway.submit('to be cancelled sandbox:fail=hang');
      await until('the call has begun', () => gateway.callsWith('to be cancelled').length === 1);
      await gateway.call('POST', `/v1/jobs/${cancelled.id}/cancel`);
      for (const { id } of [refused, failed, expired, cancelled]) await gateway.finished(id);
      await gateway.finished(throttled.id, { key: KEYS.beta });

      const rows = await auditRows(gateway.redis.url);
      expect(endings(rows, refused.id)).toEqual([[1, 'rejected', 'failed', 'user_key_rejected']]);
      expect(grants(rows, failed.id)).toEqual([
        [1, 'granted'],
        [2, 'granted'],
      ]);
      expect(endings(rows, failed.id)).toEqual([
        [1, 'unavailable', 'queued', null],
        [2, 'unavailable', 'failed', 'provider_unavailable'],
      ]);
      expect(endings(rows, throttled.id)).toEqual([
        [1, 'throttled', 'queued', null],
        [2, 'completed', 'completed', null],
      ]);
      expect(endings(rows, expired.id)).toEqual([[1, 'timed_out', 'expired', 'deadline_exceeded']]);
      expect(endings(rows, cancelled.id)).toEqual([[1, 'cancelled', 'cancelled', null]]);
    });
  });

  test.concurrent('also of one whose worker was killed: its end is unknown, the next one is granted anew, and the chain holds', async () => {
    await withGateway({}, async (gateway) => {
      const { id } = await gateway.submit('sandbox:fail=hang times=1');
      await until('the call has begun', () => gateway.sandbox.calls.length === 1);
      expect(endings(await auditRows(gateway.redis.url), id)).toEqual([]);
      expect(grants(await auditRows(gateway.redis.url), id)).toEqual([[1, 'granted']]);
      // Its rows are sealed by the worker that comes after it.
      gateway.workers[0]?.signal('SIGKILL');
      await gateway.addWorker();
      await gateway.finished(id);
      const report = await until('every row is sealed', async () => {
        const { code, stdout } = await runCommand('audit', ['verify', '--json'], {
          REDIS_URL: gateway.redis.url,
          DATA_DIR: gateway.env.DATA_DIR ?? '',
        });
        expect(code).toBe(0);
        const [chain] = JSON.parse(stdout) as ChainReport[];
        return chain?.unsealed_rows === 0 && chain;
      });
      expect(report).toMatchObject({ chain: 's0', broken: null, verified_rows: 4, sealed_late: 0 });

      const rows = (await auditRows(gateway.redis.url)).map(({ kind, attempt, outcome = null, decision }) => [
        kind,
        attempt,
        outcome,
        decision,
      ]);
      expect(rows).toEqual([
        ['attempt_started', 1, null, 'granted'],
        ['attempt_ended', 1, 'unknown', 'lost'],
        ['attempt_started', 2, null, 'granted'],
        ['attempt_ended', 2, 'completed', 'completed'],
      ]);
    });
  });
});
