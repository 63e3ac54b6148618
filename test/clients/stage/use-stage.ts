import { afterAll, beforeAll } from 'vitest';
import { expectInvariants } from '../../support/invariants/invariants.ts';
import { openStage, type Stage } from './stage.ts';

/** A stage for the tests of the file in which this is called, of which all invariants hold in the end. */
export const useStage = (env: Record<string, string>): Pick<Stage, 'user'> & { gateway: () => Stage['gateway'] } => {
  let opened: Stage | null = null;
  const stage = (): Stage => {
    if (opened === null) throw new Error('the stage is not open yet');
    return opened;
  };
  beforeAll(async () => {
    opened = await openStage(env);
  });
  afterAll(async () => {
    try {
      if (opened) await expectInvariants(opened.gateway.redis.url);
    } finally {
      await opened?.close();
    }
  });
  return { gateway: () => stage().gateway, user: () => stage().user() };
};
