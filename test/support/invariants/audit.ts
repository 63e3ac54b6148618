/** The audit log of a gateway under test, as it stands in Redis. */
import { type AuditRow, parseAuditRow } from '../../../shared/domain/audit/audit-row.ts';
import { key } from '../../../shared/storage/redis/names.ts';
import { TAG } from '../redis/engine.ts';
import { withRedis } from '../redis/redis.ts';

/** The rows of one log, oldest first. */
export const auditRows = (url: string, tag = TAG): Promise<AuditRow[]> =>
  withRedis(url, async (redis) => {
    const entries = await redis.xrange(key(tag, 'AUDIT'), '-', '+');
    return entries.map(([id, [, text = '']]) => {
      const row = parseAuditRow('s0', id, text);
      if (row === null) throw new Error(`entry ${id} is no row`);
      return row;
    });
  });
