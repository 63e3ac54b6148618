/** Function libraries stay on the server until someone deletes them; those of releases that are gone go, too. */
import { describeError, type Log } from '../../shared/domain/log.ts';
import { every, type Repeating } from '../../shared/process/every.ts';
import type { Libraries } from '../../shared/storage/commands/run/libraries.ts';
import { RedisUnavailable } from '../../shared/storage/redis/unavailable.ts';

const FORGET_EVERY_MS = 10 * 60_000;

export const forgetLibraries = ({ libraries, log }: { libraries: Libraries; log: Log }): Repeating =>
  every(
    FORGET_EVERY_MS,
    async () => {
      const forgotten = await libraries.forgetOld();
      if (forgotten.length > 0) log.info('libraries_forgotten', { count: forgotten.length });
    },
    (error) => {
      // A server without functions for us has no libraries of ours either, and that was said at the first command.
      const refused = error instanceof RedisUnavailable && error.why === 'NOPERM';
      if (!refused) log.warn('libraries_not_forgotten', describeError(error));
    },
  );
