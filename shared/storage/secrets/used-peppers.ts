/** Which peppers the data in a Redis is made under: what is made under others, nobody recognises. */
import type { Redis } from 'ioredis';
import type { PepperMarks } from '../../keys/digests/pepper-marks.ts';
import { key, shardTag } from '../redis/names.ts';
import { UnfitServer } from '../redis/server.ts';
import { answerOf } from '../redis/unavailable.ts';

const MARKS = key(shardTag(0), 'PEPPER_MARKS');

/** Notes those of a process of the gateway, in place of those of the one that started before. */
export const noteUsedPeppers = async (redis: Redis, marks: PepperMarks): Promise<void> => {
  await answerOf(redis.set(MARKS, marks.join(' ')));
};

/**
 * Throws UnfitServer if the gateway does not know the active pepper of a command: keys that it issued would be dead, and rows of the
 * audit log look forged. A Redis on which no gateway noted any says nothing.
 */
export const verifyUsedPeppers = async (redis: Redis, [active]: PepperMarks): Promise<void> => {
  const noted = await answerOf(redis.get(MARKS));
  if (noted === null || noted.split(' ').includes(active)) return;
  throw new UnfitServer(
    'The peppers here are not those of the gateway on this Redis: it would not know the keys that are issued with them. Set KEY_PEPPERS as the gateway has it; if it generated them, set DATA_DIR to the gateway’s folder.',
  );
};
