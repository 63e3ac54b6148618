/** Data keys that AWS KMS makes and unwraps. One serves many seals, for a bounded time and number, so that KMS is asked seldom and a withdrawn permission takes effect soon. */
import { createSecretKey, hash, type KeyObject } from 'node:crypto';
import { DecryptCommand, GenerateDataKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import type { Log } from '../../domain/log.ts';
import { createAwsCredentials, REFUSED_CREDENTIALS } from '../aws-credentials.ts';
import { type DataKeys, type IssuedDataKey, KeyServiceUnavailable, type RecoveredDataKey } from './seal.ts';

/** How long a data key is used, by the clock of the process, and how many seals it makes. */
export const KEPT_MS = 5 * 60_000;
export const MOST_SEALS = 10_000;
/** Unwrapped keys that are kept: those of so many API processes in `KEPT_MS`, at the least. */
const MOST_KEPT = 1_000;

/** One attempt, and everything: a client waits for its 503, and a worker's slot for its job. */
const ATTEMPT_MS = 1_200;
const LIMIT_MS = 3_000;

const KEY_BYTES = 32;

/** Answers that no waiting changes: somebody took the permission or the key away, or what was stored is no wrapped key of it (https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html). */
const FINAL_ANSWERS: ReadonlyMap<string, 'refused' | 'corrupt'> = new Map([
  ['AccessDeniedException', 'refused'],
  ['DisabledException', 'refused'],
  ['KMSInvalidStateException', 'refused'],
  ['NotFoundException', 'refused'],
  ['IncorrectKeyException', 'corrupt'],
  ['InvalidCiphertextException', 'corrupt'],
]);

export type KmsSettings = {
  /** Key ids or ARNs: the first seals, all open. */
  keyIds: readonly [active: string, ...older: string[]];
  region: string;
  /** Null is AWS's own endpoint of the region. */
  url: string | null;
};

/** Bound to every data key and shown in AWS's log of the calls, so it holds nothing secret. Purpose, tenant and job are bound in the seal itself. */
const EncryptionContext = { application: 'llm-gateway' };

/** How a seal names the key of KMS that wrapped its data key: by what the configuration calls it. */
const nameOf = (keyId: string): string => `kms-${hash('sha256', keyId, 'hex').slice(0, 12)}`;

type Needs = KmsSettings & {
  /** Milliseconds of a clock that nobody sets. */
  elapsed: () => number;
  log: Log;
};

export const createKmsDataKeys = ({ keyIds, region, url, elapsed, log }: Needs) => {
  const chain = createAwsCredentials();
  const client = new KMSClient({
    region,
    credentials: chain.find,
    ...(url !== null && { endpoint: url }),
    // A Bedrock API key in the environment would otherwise be tried here too.
    authSchemePreference: ['sigv4'],
    maxAttempts: 2,
    requestHandler: new NodeHttpHandler({
      connectionTimeout: ATTEMPT_MS,
      requestTimeout: ATTEMPT_MS,
      throwOnRequestTimeout: true,
      // Said aloud: NODE_TLS_REJECT_UNAUTHORIZED=0 would turn the default off.
      httpsAgent: { rejectUnauthorized: true },
    }),
  });
  const byName = new Map(keyIds.map((keyId) => [nameOf(keyId), keyId]));
  const [activeId] = keyIds;

  /** Runs one call; rejects with its error's name alone. The SDK's errors hold requests and answers, which end here. */
  const ask = async <T>(operation: string, send: (abortSignal: AbortSignal) => Promise<T>): Promise<T> => {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const controller = new AbortController();
    // Not by the signal alone: the SDK looks for credentials without it.
    const limit = setTimeout(() => {
      controller.abort();
      reject(new KmsFailure('TimeLimit'));
    }, LIMIT_MS);
    try {
      return await Promise.race([send(controller.signal), late]);
    } catch (error) {
      const failure = error instanceof KmsFailure ? error : new KmsFailure(error instanceof Error ? error.name : '');
      if (REFUSED_CREDENTIALS.includes(failure.answer)) chain.renew();
      log.warn('key_service_failed', { operation, code: failure.answer });
      throw failure;
    } finally {
      clearTimeout(limit);
    }
  };

  const generate = async (): Promise<IssuedDataKey> => {
    try {
      return await ask('GenerateDataKey', async (abortSignal) => {
        const command = new GenerateDataKeyCommand({ KeyId: activeId, KeySpec: 'AES_256', EncryptionContext });
        const { CiphertextBlob, Plaintext } = await client.send(command, { abortSignal });
        const dataKey = toKey(Plaintext);
        if (!CiphertextBlob?.length) throw new KmsFailure('WrongAnswer');
        return { keyId: nameOf(activeId), wrapped: Buffer.from(CiphertextBlob), dataKey };
      });
    } catch {
      // Whatever it is: nothing is sealed without KMS.
      throw new KeyServiceUnavailable();
    }
  };

  const unwrap = async (KeyId: string, wrapped: Buffer): Promise<RecoveredDataKey> => {
    try {
      return await ask('Decrypt', async (abortSignal) => {
        const command = new DecryptCommand({ KeyId, CiphertextBlob: wrapped, EncryptionContext });
        const { Plaintext } = await client.send(command, { abortSignal });
        return { ok: true, dataKey: toKey(Plaintext) } as const;
      });
    } catch (error) {
      const answer = error instanceof KmsFailure ? error.answer : '';
      return { ok: false, reason: FINAL_ANSWERS.get(answer) ?? 'unavailable' };
    }
  };

  let current: { dataKey: Promise<IssuedDataKey>; askedAt: number; seals: number } | null = null;
  /** In the order of asking. */
  const unwrapped = new Map<string, { answer: Promise<RecoveredDataKey>; askedAt: number }>();

  let evicting: NodeJS.Timeout | null = null;
  /** Also when nobody asks again: what is too old to be used is not kept either. */
  const evictInTime = (): void => {
    const [oldest] = unwrapped.values();
    const askedAt = Math.min(current?.askedAt ?? Number.POSITIVE_INFINITY, oldest?.askedAt ?? Number.POSITIVE_INFINITY);
    if (evicting !== null || askedAt === Number.POSITIVE_INFINITY) return;
    // A timer may fire a moment early.
    evicting = setTimeout(evict, Math.max(1, askedAt + KEPT_MS - elapsed())).unref();
  };
  const evict = (): void => {
    const isOld = ({ askedAt }: { askedAt: number }): boolean => elapsed() - askedAt >= KEPT_MS;
    if (current !== null && isOld(current)) current = null;
    for (const [entry, kept] of unwrapped) if (isOld(kept)) unwrapped.delete(entry);
    evicting = null;
    evictInTime();
  };

  const dataKeys: DataKeys = {
    activeId: nameOf(activeId),
    hasOlder: keyIds.length > 1,
    issue: async () => {
      if (current === null || elapsed() - current.askedAt >= KEPT_MS || current.seals >= MOST_SEALS) {
        current = { dataKey: generate(), askedAt: elapsed(), seals: 0 };
        evictInTime();
      }
      const mine = current;
      mine.seals += 1;
      return mine.dataKey.catch((error: unknown) => {
        if (current === mine) current = null;
        throw error;
      });
    },
    recover: async (name, wrapped) => {
      const keyId = byName.get(name);
      if (keyId === undefined) return { ok: false, reason: 'unknown_key' };
      const entry = `${name} ${wrapped.toString('base64')}`;
      const kept = unwrapped.get(entry);
      if (kept && elapsed() - kept.askedAt < KEPT_MS) return kept.answer;

      const answer = unwrap(keyId, wrapped);
      unwrapped.delete(entry);
      unwrapped.set(entry, { answer, askedAt: elapsed() });
      evictInTime();
      const [oldest] = unwrapped.keys();
      if (unwrapped.size > MOST_KEPT && oldest !== undefined) unwrapped.delete(oldest);
      const recovered = await answer;
      if (!recovered.ok && unwrapped.get(entry)?.answer === answer) unwrapped.delete(entry);
      return recovered;
    },
  };
  return {
    ...dataKeys,
    close: () => {
      if (evicting !== null) clearTimeout(evicting);
      client.destroy();
    },
  };
};

class KmsFailure extends Error {
  /** KMS's name of the error, or ours. */
  readonly answer: string;

  constructor(answer: string) {
    super('KMS did not do what was asked');
    this.name = 'KmsFailure';
    // The name comes over the wire: of another form it could hold anything.
    this.answer = /^[A-Za-z]{1,64}$/.test(answer) ? answer : 'UnknownError';
  }
}

const toKey = (plaintext: Uint8Array | undefined): KeyObject => {
  if (plaintext?.length !== KEY_BYTES) throw new KmsFailure('WrongAnswer');
  const key = createSecretKey(plaintext);
  plaintext.fill(0);
  return key;
};
