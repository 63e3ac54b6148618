import { expect, test } from 'vitest';
import { canTurnClocks, clockOff } from '../../support/processes/faketime.ts';
import { userKey } from '../../support/processes/gateway.ts';
import { withGateway } from '../../support/processes/with-gateway.ts';

const WRONG = [
  { api: '+10m', worker: '-10m' },
  { api: '-10m', worker: '+10m' },
] as const;

test.skipIf(!canTurnClocks).concurrent.each(WRONG)(
  'an API $api and a worker $worker off run jobs on users’ keys, and expire them at their deadline, by Redis’ time (Debian’s package faketime)',
  { timeout: 60_000 },
  async ({ api, worker }) => {
    await withGateway({ apis: 0, workers: 0 }, async (gateway) => {
      await gateway.addApi(clockOff(api));
      await gateway.addWorker(clockOff(worker));
      const answers = await Promise.all([
        gateway.submit('on a user’s key', { headers: userKey(), fields: { model: 'gpt-4o' } }),
        gateway.submit('too slow sandbox:delay=20000', { fields: { deadline_seconds: 2 } }),
      ]);
      const [completed, expired] = await Promise.all(answers.map(({ id }) => gateway.finished(id)));
      expect(completed).toMatchObject({ status: 'completed' });
      expect(expired).toMatchObject({ status: 'expired' });
      const [created, deadline, finished] = [expired?.created_at, expired?.deadline_at, expired?.finished_at].map(
        (at) => Date.parse(at ?? ''),
      );
      expect(Math.abs((deadline ?? 0) - (created ?? 0) - 2_000)).toBeLessThan(500);
      expect((finished ?? 0) - (deadline ?? 0)).toBeLessThan(5_000);
    });
  },
);
