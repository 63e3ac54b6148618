/** A gateway whose users' providers keep what they are sent and answer what they are told to. */
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { expectInvariants } from '../invariants/invariants.ts';
import { type RecordingProvider, startRecordingProvider } from '../network/recording-provider.ts';
import { startGateway, type TestGateway } from './gateway.ts';

type Used = { gateway: TestGateway; provider: RecordingProvider };

/**
 * For the tests of the file in which this is called, which all begin with no call noted; its invariants hold in the end. `opened` is told of
 * both before the first test, `closing` is called before the last invariants.
 */
export const useRecordedGateway = (
  options: Parameters<typeof startGateway>[0],
  { opened, closing = () => {} }: { opened: (used: Used) => void | Promise<void>; closing?: () => void },
): void => {
  let used: Partial<Used> = {};
  beforeAll(async () => {
    const provider = await startRecordingProvider();
    used = { provider };
    const env = { PROVIDER_OPENAI_URL: provider.urls.openai, PROVIDER_ANTHROPIC_URL: provider.urls.anthropic };
    const gateway = await startGateway({ ...options, env: { ...env, ...options?.env } });
    used = { gateway, provider };
    await opened({ gateway, provider });
  });
  beforeEach(() => {
    used.provider?.calls.splice(0);
  });
  afterAll(async () => {
    closing();
    if (used.gateway) await expectInvariants(used.gateway.redis.url);
    await used.gateway?.stop();
    await used.provider?.close();
  });
};
