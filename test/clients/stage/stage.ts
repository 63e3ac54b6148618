/** Users on one gateway, each with a tenant, keys, a front and answers of its own, so that tests run side by side. */
import { afterAll, beforeAll } from 'vitest';
import type { Job } from '../../../shared/domain/jobs/schema.ts';
import { expectInvariants } from '../../support/invariants/invariants.ts';
import {
  type RecordedCall,
  type RecordingProvider,
  startRecordingProvider,
} from '../../support/network/recording-provider.ts';
import { startGateway, type TestGateway } from '../../support/processes/gateway.ts';
import { hello } from './answers.ts';
import { type Exchange, type Front, openFront } from './front.ts';

type Answers = Parameters<RecordingProvider['answerWith']>[0];

export type TestUser = {
  /** Where the user's clients find the gateway. */
  url: string;
  platformKey: string;
  openaiKey: string;
  anthropicKey: string;
  /** What the user's clients sent and got, oldest first. */
  exchanges: readonly Exchange[];
  /** What the providers received on the user's keys, oldest first. */
  calls: () => RecordedCall[];
  /** What these calls are answered from now on; “Hello.” until then. */
  answers: (answers: Answers) => void;
  /** Every job of the user's tenant, newest first. */
  jobs: () => Promise<Job[]>;
};

export type Stage = {
  gateway: () => TestGateway;
  user: () => Promise<TestUser>;
};

const MAX_USERS = 80;
const platformKeyOf = (user: number): string => `user-${user}-Vt5qZ81mXr7LwK02pJ`;
const PLATFORM_API_KEYS = Array.from({ length: MAX_USERS }, (_, user) => `user-${user}:${platformKeyOf(user)}`).join();

const keyOf = ({ headers }: RecordedCall): string =>
  headers.authorization?.replace(/^Bearer /, '') ?? String(headers['x-api-key']);

type Opened = { gateway: TestGateway; provider: RecordingProvider };

/** For the tests of the file in which this is called. Requests wait 1 s for their jobs unless `env` says otherwise. */
export const useStage = (env: Record<string, string> = {}): Stage => {
  const fronts: Front[] = [];
  const answersOf = new Map<string, Answers>();
  let users = 0;
  let opened: Opened | null = null;
  const get = (): Opened => {
    if (opened === null) throw new Error('the stage is not open yet');
    return opened;
  };

  beforeAll(async () => {
    const provider = await startRecordingProvider();
    provider.answerWith((call) => (answersOf.get(keyOf(call)) ?? hello)(call));
    const { openai, anthropic } = provider.urls;
    const urls = { PROVIDER_OPENAI_URL: openai, PROVIDER_ANTHROPIC_URL: anthropic };
    const gateway = await startGateway({ env: { MAX_WAIT_SECONDS: '1', PLATFORM_API_KEYS, ...urls, ...env } });
    opened = { gateway, provider };
  });
  afterAll(async () => {
    await Promise.all(fronts.map((front) => front.close()));
    if (opened === null) return;
    await expectInvariants(opened.gateway.redis.url);
    await opened.gateway.stop();
    await opened.provider.close();
  });

  return {
    gateway: () => get().gateway,
    user: async () => {
      const { gateway, provider } = get();
      const number = users++;
      const front = await openFront(() => gateway.apis[0]?.url ?? '');
      fronts.push(front);
      const platformKey = platformKeyOf(number);
      const digits = String(number).padStart(16, '0');
      const keys = [`sk-proj-test${digits}`, `sk-ant-api03-test${digits}`] as const;
      const [openaiKey, anthropicKey] = keys;
      return {
        url: front.url,
        platformKey,
        openaiKey,
        anthropicKey,
        exchanges: front.exchanges,
        calls: () => provider.calls.filter((call) => keys.some((key) => key === keyOf(call))),
        answers: (answers) => {
          for (const key of keys) answersOf.set(key, answers);
        },
        jobs: async () => {
          const { body } = await gateway.call('GET', '/v1/jobs', { key: platformKey });
          return (body as { data: Job[] }).data;
        },
      };
    },
  };
};
