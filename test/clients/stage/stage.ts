/** Users on one gateway, each with a tenant, keys, a front and answers of its own, so that tests run side by side. */
import type { Job } from '../../../shared/domain/jobs/schema.ts';
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
  gateway: TestGateway;
  user: () => Promise<TestUser>;
  close: () => Promise<void>;
};

const MAX_USERS = 80;
const platformKeyOf = (user: number): string => `user-${user}-Vt5qZ81mXr7LwK02pJ`;
const PLATFORM_API_KEYS = Array.from({ length: MAX_USERS }, (_, user) => `user-${user}:${platformKeyOf(user)}`).join();

const keyOf = ({ headers }: RecordedCall): string =>
  headers.authorization?.replace(/^Bearer /, '') ?? String(headers['x-api-key']);

/** `env`: of the gateway's processes. */
export const openStage = async (env: Record<string, string>): Promise<Stage> => {
  const answersOf = new Map<string, Answers>();
  const fronts: Front[] = [];
  const provider = await startRecordingProvider();
  provider.answerWith((call) => (answersOf.get(keyOf(call)) ?? hello)(call));
  const { openai, anthropic } = provider.urls;
  const gateway = await startGateway({
    env: { PLATFORM_API_KEYS, PROVIDER_OPENAI_URL: openai, PROVIDER_ANTHROPIC_URL: anthropic, ...env },
  });
  let users = 0;

  return {
    gateway,
    user: async () => {
      const number = users++;
      const platformKey = platformKeyOf(number);
      const digits = String(number).padStart(16, '0');
      const [openaiKey, anthropicKey] = [`sk-proj-test${digits}`, `sk-ant-api03-test${digits}`];
      const front = await openFront(() => gateway.apis[0]?.url ?? '');
      fronts.push(front);
      return {
        url: front.url,
        platformKey,
        openaiKey,
        anthropicKey,
        exchanges: front.exchanges,
        calls: () => provider.calls.filter((call) => [openaiKey, anthropicKey].includes(keyOf(call))),
        answers: (answers) => {
          for (const key of [openaiKey, anthropicKey]) answersOf.set(key, answers);
        },
        jobs: async () => {
          const { body } = await gateway.call('GET', '/v1/jobs', { key: platformKey });
          return (body as { data: Job[] }).data;
        },
      };
    },
    close: async () => {
      await Promise.all(fronts.map((front) => front.close()));
      await gateway.stop();
      await provider.close();
    },
  };
};
