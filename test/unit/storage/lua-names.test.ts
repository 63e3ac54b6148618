/** How scripts name the keys of Redis. */
import { expect, test } from 'vitest';
import { withNames } from '../../../shared/storage/redis/names.ts';

test('a name of a key stands for it in a script, but not in texts, comments and longer names', () => {
  const text = "call('SET', JOB .. id, 'JOB:JOB') -- JOB\nlocal JOBS_LEFT = JOB_FIELDS[LANE]";
  expect(withNames(text)).toBe(
    "local function names(tag) return { JOB = tag .. ':job:', LANE = tag .. ':lane:' } end\ncall('SET', K.JOB .. id, 'JOB:JOB') -- JOB\nlocal JOBS_LEFT = JOB_FIELDS[K.LANE]",
  );
});
