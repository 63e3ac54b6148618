/** The ledger: what each tenant used, by day, provider, model and credential. Written only by the scripts that settle jobs. */
import type { Redis } from 'ioredis';
import type { CredentialKind, Provider } from '../completion.ts';
import type { TenantId } from '../ids.ts';
import { key } from '../redis/keys.ts';
import { tenantTag } from '../redis/shards.ts';
import { answerOf, RedisUnavailable } from '../redis/unavailable.ts';

const COUNTERS = [
  'requests',
  'completed',
  'failed',
  'cancelled',
  'expired',
  'input_tokens',
  'output_tokens',
  'cached_input_tokens',
  'cost_nano',
  'unpriced_requests',
] as const;

export type UsageCounters = Record<(typeof COUNTERS)[number], number>;
export type UsageRow = UsageCounters & { day: string; provider: Provider; model: string; credential: CredentialKind };

export type UsageStore = ReturnType<typeof createUsageStore>;

export const createUsageStore = ({ redis, shards }: { redis: Redis; shards: number }) => ({
  /** The rows of the given UTC days (`YYYY-MM-DD`), in their order; costs are whole nano-dollars. */
  rows: async (tenant: TenantId, days: readonly string[]): Promise<UsageRow[]> => {
    const pipeline = redis.pipeline();
    for (const day of days) pipeline.hgetall(key(tenantTag(tenant, shards), 'USAGE', `${tenant}:${day}`));
    const replies = (await answerOf(pipeline.exec())) ?? [];
    return replies.flatMap(([error, fields], index) => {
      if (error) throw new RedisUnavailable();
      // A cast because a pipeline does not know the types of its answers; HGETALL's is this.
      return parseDay(days[index] ?? '', fields as Record<string, string>);
    });
  },
});

export const noUsage = (): UsageCounters => ({
  requests: 0,
  completed: 0,
  failed: 0,
  cancelled: 0,
  expired: 0,
  input_tokens: 0,
  output_tokens: 0,
  cached_input_tokens: 0,
  cost_nano: 0,
  unpriced_requests: 0,
});

/** Adds `more` to `sum`, in place. */
export const addUsage = (sum: UsageCounters, more: UsageCounters): void => {
  for (const counter of COUNTERS) sum[counter] += more[counter];
};

const isCounter = (name: string): name is (typeof COUNTERS)[number] => COUNTERS.some((counter) => counter === name);

const parseDay = (day: string, fields: Record<string, string>): UsageRow[] => {
  const rows = new Map<string, UsageRow>();
  for (const [field, value] of Object.entries(fields)) {
    const [provider, model, credential, counter] = field.split('|');
    if (!provider || !model || !credential || !counter || !isCounter(counter)) continue;
    const id = `${provider}|${model}|${credential}`;
    const row: UsageRow = rows.get(id) ?? {
      day,
      // Casts because `submit` was given these and wrote nothing else.
      provider: provider as Provider,
      model,
      credential: credential as CredentialKind,
      ...noUsage(),
    };
    row[counter] = Number(value);
    rows.set(id, row);
  }
  return [...rows.values()];
};
