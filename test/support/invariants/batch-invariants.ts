/** What must hold of batches, beyond what holds of every job. It reads the raw keys, and shares with the gateway only their names. */
import type { Redis } from 'ioredis';
import { type KeyName, key } from '../../../shared/storage/redis/names.ts';
import { countsIn } from './usage-rows.ts';

type Hash = Record<string, string>;

/** The stem of the batch that a job is a line of; null for a job of its own. */
export const stemOfLine = (id: string): string | null => (/^job_\w{10}[gh]/.test(id) ? id.slice(4, 26) : null);

/** A lane's entry as a job's id: a batch's lane leaves out what its lines have in common. */
export const idInLane = (lane: string, entry: string): string => {
  const stem = /^(\w{22})\./.exec(lane)?.[1];
  return stem && !entry.startsWith('job_') ? `job_${stem}${entry}` : entry;
};

const FINAL = ['completed', 'failed', 'cancelled', 'expired'] as const;
const HIDDEN = ['staging', 'erasing'];

export type Batches = {
  violations: string[];
  /** Lines that wait for their first turn, by tenant. */
  waiting: Map<string, number>;
  /** Lines that ended without a turn, as far as a ledger counts them: they have no record. */
  neverRan: Hash[];
  /** By batch: its ledger, without the days, and all lines that it counts. */
  ledgers: { tenant: string; fields: Hash; lines: Hash[] }[];
};

export const readBatches = async (
  redis: Redis,
  tag: string,
  { keys, jobs }: { keys: readonly string[]; jobs: ReadonlyMap<string, Hash> },
): Promise<Batches> => {
  const found: Batches = { violations: [], waiting: new Map(), neverRan: [], ledgers: [] };
  const expect = (holds: boolean, violation: string): void => {
    if (!holds) found.violations.push(violation);
  };
  const at = (name: KeyName, id = ''): string => key(tag, name, id);
  const idsOf = (name: KeyName): string[] =>
    keys.filter((each) => each.startsWith(at(name))).map((each) => each.slice(at(name).length));

  const stems = idsOf('BATCH');
  const due = await redis.zrange(at('BATCH_DUE'), '0', '-1');
  expect(due.toSorted().join() === stems.toSorted().join(), `due are ${due.join()}, and stored ${stems.join()}`);
  for (const name of ['BATCH_LINES', 'BATCH_OPEN', 'BATCH_OUTCOMES', 'BATCH_REST', 'BATCH_USAGE'] as const) {
    for (const id of idsOf(name)) expect(stems.includes(id.slice(0, 22)), `${name} ${id} has no batch`);
  }
  const linesOf = Map.groupBy(
    [...jobs].filter(([id]) => stemOfLine(id) !== null),
    ([id]) => stemOfLine(id) ?? '',
  );

  for (const stem of stems) {
    const row = await redis.hgetall(at('BATCH', stem));
    if (HIDDEN.includes(row.status ?? '')) continue;
    const say = (holds: boolean, violation: string): void => expect(holds, `batch ${stem}: ${violation}`);
    const number = (field: string): number => Number(row[field] ?? 0);
    const records = linesOf.get(stem) ?? [];

    const lanes = Array.from({ length: number('lanes') }, (_, lane) => lane);
    const listed: string[] = [];
    for (const lane of lanes) listed.push(...(await redis.lrange(at('LANE_NEW', `${stem}.${lane}`), 0, -1)));
    const waiting = listed.filter((entry) => !jobs.has(`job_${stem}${entry}`));
    found.waiting.set(row.tenant ?? '', (found.waiting.get(row.tenant ?? '') ?? 0) + waiting.length);

    const outcomes: string[] = [];
    const neverRan: Hash[] = [];
    for (const entry of await redis.lrange(at('BATCH_OUTCOMES', stem), 0, -1)) {
      const lane = /^lane (\d+)$/.exec(entry)?.[1];
      if (lane === undefined) {
        outcomes.push(entry);
        say(jobs.has(`job_${stem}${entry}`), `outcome ${entry} has no record`);
        continue;
      }
      for (const rest of await redis.lrange(at('BATCH_REST', `${stem}.${lane}`), 0, -1)) {
        if (jobs.has(`job_${stem}${rest}`)) continue;
        outcomes.push(rest);
        const { tenant = '', provider = '', credential = '', stopped_as: status = '' } = row;
        neverRan.push({ tenant, provider, credential, status, model: row[`model:${lane}`] ?? '' });
      }
    }
    found.neverRan.push(...neverRan);
    const fields: Hash = {};
    for (const [field, value] of Object.entries(await redis.hgetall(at('BATCH_USAGE', stem)))) {
      const name = field.slice('YYYY-MM-DD|'.length);
      const sums = new Map(countsIn(fields[name] ?? ''));
      for (const [counter, count] of countsIn(value)) sums.set(counter, (sums.get(counter) ?? 0) + count);
      fields[name] = [...sums].map((pair) => pair.join('=')).join(' ');
    }
    found.ledgers.push({
      tenant: row.tenant ?? '',
      fields,
      lines: [...records.map(([, job]) => job), ...neverRan],
    });
    say(new Set(outcomes).size === outcomes.length, 'a line has two outcomes');

    const open = await redis.smembers(at('BATCH_OPEN', stem));
    const unfinished = records.filter(([, { status }]) => !FINAL.some((final) => final === status));
    say(
      open.toSorted().join() ===
        unfinished
          .map(([id]) => id)
          .toSorted()
          .join(),
      `${open.length} lines are open, and ${unfinished.length} have a record that is not final`,
    );
    for (const status of FINAL) {
      const own = records.filter(([, job]) => job.status === status).length;
      const count =
        own + (row.stopped_as === status ? outcomes.filter((entry) => !jobs.has(`job_${stem}${entry}`)).length : 0);
      say(number(status) === count, `counts ${number(status)} ${status}, and ${count} are`);
    }
    const running = records.filter(([, { status }]) => status === 'in_progress').length;
    say(number('in_progress') === running, `counts ${number('in_progress')} in progress, and ${running} are`);
    say(number('unfinished') === waiting.length + open.length, `counts ${number('unfinished')} unfinished`);
    say(number('total') === number('unfinished') + outcomes.length, 'its lines do not add up to its total');

    const isFinal = FINAL.some((final) => final === row.status);
    say(isFinal === (row.unfinished === '0'), `is ${row.status} with ${row.unfinished} unfinished`);
    if (isFinal) say(!(await redis.exists(at('SEALED', stem))), 'still has its sealed key');
    // Nothing of a batch that is being cancelled is tried again.
    else if (row.status === 'cancelling') say(!(await redis.exists(at('SEALED', stem))), 'still has its sealed key');
    else if (row.credential === 'user') say((await redis.exists(at('SEALED', stem))) === 1, 'lost its sealed key');

    for (const [id, job] of records) {
      const text = (await redis.hget(at('BATCH_LINES', id.slice(4, 29)), id.slice(29, 30))) ?? '';
      const hasRequest = text.split('\n').slice(3).join('\n') !== '';
      const needed =
        job.status !== 'completed' && job.status !== 'cancelled' && !/ erased\b/.test(text.split('\n')[0] ?? '');
      say(hasRequest === needed, `${job.status} ${id} has ${hasRequest ? 'still its' : 'no'} request`);
    }
  }
  return found;
};
