/** One tenant's long lists must not keep everybody else waiting for this process. */
import { RequestError } from '../../../shared/domain/errors.ts';
import type { TenantId } from '../../../shared/domain/ids.ts';
import { RedisUnavailable } from '../../../shared/storage/redis/unavailable.ts';
import type { ApiContext } from '../../http/context.ts';

/** Works for one call of a tenant at a time; its others wait in line. */
export type TakeTurns = (c: ApiContext, work: () => Promise<Response>) => Promise<Response>;

export const createTakeTurns = (): TakeTurns => {
  /** The end of each tenant's line. */
  const lines = new Map<TenantId, Promise<void>>();
  return async (c, work) => {
    const tenant = c.get('tenant');
    const before = lines.get(tenant);
    const { promise: turn, resolve, reject } = Promise.withResolvers<void>();
    // It rejects for those behind it alone, and there may be none.
    turn.catch(() => {});
    lines.set(tenant, turn);
    try {
      await before;
      // Of a client that went away nobody reads the answer.
      if (c.env.outgoing.closed) throw new RequestError('request_timeout');
      const answer = await work();
      resolve();
      return answer;
    } catch (error) {
      // Where Redis is away, all who wait are told so at once.
      if (error instanceof RedisUnavailable) reject(error);
      else resolve();
      throw error;
    } finally {
      if (lines.get(tenant) === turn) lines.delete(tenant);
    }
  };
};
