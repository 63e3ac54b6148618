/**
 * What must hold of Redis whenever nothing is in the middle of a step, and of an idle gateway in particular. Every test that ran jobs ends with it.
 * It reads the raw keys, and shares with the gateway only their names.
 */
import { Redis } from 'ioredis';
import { RECORDS } from '../../../shared/domain/records/all-records.ts';
import { hasField } from '../../../shared/domain/records/record.ts';
import { key, shardTag } from '../../../shared/storage/redis/names.ts';
import { until } from '../until.ts';
import { idInLane, readBatches, stemOfLine } from './batch-invariants.ts';
import { findByteViolations } from './byte-invariants.ts';
import { findDeliveryViolations } from './delivery-invariants.ts';
import { countsIn } from './usage-rows.ts';

const FINAL = new Set(['completed', 'failed', 'cancelled', 'expired']);

type Options = {
  shards?: number;
  /** Whether every record is still stored, so that the ledgers can be compared with them. */
  allRecordsStored?: boolean;
};

/** Waits for at most 15 s for a moment at which all invariants hold; fails with the violations of the last look. */
export const expectInvariants = async (url: string, { shards = 1, ...options }: Options = {}): Promise<void> => {
  const redis = new Redis(url, { maxRetriesPerRequest: null });
  redis.on('error', () => {});
  let violations: string[] = [];
  try {
    await until(
      'all invariants hold',
      async () => {
        violations = [];
        for (let shard = 0; shard < shards; shard++) {
          violations.push(...(await findViolations(redis, shardTag(shard), options)));
        }
        return violations.length === 0;
      },
      { withinMs: 15_000, everyMs: 100 },
    );
  } catch {
    throw new Error(`${violations.length} invariants do not hold:\n${violations.slice(0, 20).join('\n')}`);
  } finally {
    redis.disconnect();
  }
};

/** The violations at this moment, as sentences. */
export const findViolations = async (
  redis: Redis,
  tag: string,
  { allRecordsStored = true }: Options = {},
): Promise<string[]> => {
  const violations: string[] = [];
  const expect = (holds: boolean, violation: string): void => {
    if (!holds) violations.push(violation);
  };

  const keys = await scanAll(redis, `${tag}:*`);
  const idsOf = (name: Parameters<typeof key>[1]): string[] => {
    const prefix = key(tag, name);
    return keys.filter((each) => each.startsWith(prefix)).map((each) => each.slice(prefix.length));
  };
  const hashes = async (name: Parameters<typeof key>[1]): Promise<Map<string, Record<string, string>>> => {
    const ids = idsOf(name);
    const pipeline = redis.pipeline();
    for (const id of ids) pipeline.hgetall(key(tag, name, id));
    const replies = (await pipeline.exec()) ?? [];
    const rows = ids.map((id, index) => [id, replies[index]?.[1] as Record<string, string>] as const);
    // One without fields has expired since it was listed.
    return new Map(rows.filter(([, fields]) => Object.keys(fields).length > 0));
  };

  for (const [name, fields] of Object.entries(RECORDS)) {
    // A cast because Object.entries forgets the names.
    for (const [id, found] of await hashes(name as keyof typeof RECORDS)) {
      for (const field of Object.keys(found)) {
        expect(hasField(fields, field), `${name} ${id} has a field ${field} that its record does not list`);
      }
    }
  }
  const jobs = await hashes('JOB');
  const lanes = await hashes('LANE');
  const tenants = await hashes('TENANT');
  const upstreams = await hashes('UPSTREAM');
  const inflight = await redis.hgetall(key(tag, 'INFLIGHT'));
  const delayed = new Set(await redis.zrange(key(tag, 'DELAYED'), '0', '-1'));
  const deadlines = new Set(await redis.zrange(key(tag, 'DEADLINES'), '0', '-1'));
  const cancelling = await redis.smembers(key(tag, 'CANCELLING'));
  const requests = new Set(idsOf('REQUEST'));
  const sealed = new Set(idsOf('SEALED'));
  const bullJobs = new Set(idsOf('COMPLETIONS').filter((id) => id.startsWith('job_')));

  // Where each id stands.
  const places = new Map<string, string[]>();
  const stand = (id: string, place: string): void => {
    places.set(id, [...(places.get(id) ?? []), place]);
  };
  for (const id of Object.keys(inflight)) stand(id, 'inflight');
  for (const id of delayed) stand(id, 'delayed');
  for (const lane of new Set([...idsOf('LANE_NEW'), ...idsOf('LANE_BACK')])) {
    const entries = await redis.lrange(key(tag, 'LANE_NEW', lane), 0, -1);
    const fresh = new Set(entries.map((entry) => idInLane(lane, entry)));
    const back = await redis.zrange(key(tag, 'LANE_BACK', lane), '0', '-1');
    for (const id of [...fresh, ...back]) {
      const status = jobs.get(id)?.status ?? '';
      // Cancelled and expired ids are skipped when their turn comes.
      if (fresh.has(id) && (status === 'cancelled' || status === 'expired')) continue;
      // A line gets its record with its first turn.
      if (fresh.has(id) && stemOfLine(id) !== null && !jobs.has(id)) continue;
      stand(id, `lane ${lane}`);
      expect(jobs.get(id)?.lane === lane, `${id} stands in the lane of another job`);
    }
  }

  for (const [id, job] of jobs) {
    const at = places.get(id) ?? [];
    const status = job.status ?? '';
    if (FINAL.has(status)) {
      expect(at.length === 0, `final ${id} still stands in ${at.join(', ')}`);
      expect(!deadlines.has(id), `final ${id} still has a deadline`);
      expect(!/\|./.test(job.reservation ?? ''), `final ${id} still has a reservation: ${job.reservation}`);
      expect(!requests.has(id), `final ${id} still has its request`);
      expect(!sealed.has(id), `final ${id} still has a sealed key`);
      const rows = Object.entries(job).filter(([field]) => field.startsWith('attempt:'));
      expect(!rows.some(([, row]) => row.split('|')[2] === ''), `final ${id} has an open attempt`);
      expect(!cancelling.includes(id), `final ${id} is still to be cancelled`);
      expect(![...bullJobs].some((name) => name.startsWith(`${id}-`)), `final ${id} is still known to BullMQ`);
    } else {
      expect(at.length === 1, `${status} ${id} stands in ${at.length} places: ${at.join(', ')}`);
      if (status === 'in_progress') expect(at[0] === 'inflight', `running ${id} stands in ${at[0]}`);
      // A line's are its batch's.
      if (stemOfLine(id) !== null) continue;
      expect(deadlines.has(id), `${status} ${id} has no deadline`);
      expect(requests.has(id), `${status} ${id} has no request`);
      // Of a running job that the operator stopped nothing is tried again.
      const isKept = sealed.has(id) || cancelling.includes(id);
      if (job.credential === 'user') expect(isKept, `${status} ${id} lost its sealed key`);
    }
  }
  for (const [id, at] of places) expect(jobs.has(id), `${id} stands in ${at.join(', ')} without a record`);
  for (const name of bullJobs) {
    const [id = '', handoff] = name.split('-');
    expect(inflight[id]?.split(':')[0] === handoff, `BullMQ knows ${name}, which is no current hand-off`);
  }

  // Counts.
  const count = (of: (id: string) => string | undefined): Map<string, number> => {
    const counts = new Map<string, number>();
    for (const id of Object.keys(inflight)) counts.set(of(id) ?? '?', (counts.get(of(id) ?? '?') ?? 0) + 1);
    return counts;
  };
  const byTenant = count((id) => jobs.get(id)?.tenant);
  for (const [tenant, row] of tenants) {
    expect(
      Number(row.inflight ?? 0) === (byTenant.get(tenant) ?? 0),
      `tenant ${tenant} counts ${row.inflight} in flight`,
    );
  }
  const waiting = new Map<string, number>();
  for (const [id, job] of jobs) {
    if (FINAL.has(job.status ?? '') || id in inflight) continue;
    const counter = `${job.tenant} waiting:${job.class ?? 'interactive'}`;
    waiting.set(counter, (waiting.get(counter) ?? 0) + 1);
  }
  const batches = await readBatches(redis, tag, { keys, jobs });
  violations.push(...batches.violations);
  for (const [tenant, lines] of batches.waiting) {
    const counter = `${tenant} waiting:batch`;
    waiting.set(counter, (waiting.get(counter) ?? 0) + lines);
  }
  for (const [tenant, row] of tenants) {
    for (const field of ['waiting:interactive', 'waiting:batch']) {
      const actual = waiting.get(`${tenant} ${field}`) ?? 0;
      expect(Number(row[field] ?? 0) === actual, `tenant ${tenant} counts ${row[field]} ${field}, and ${actual} are`);
    }
  }
  const scheduler = await redis.hgetall(key(tag, 'SCHEDULER'));
  for (const field of ['waiting:interactive', 'waiting:batch']) {
    const sum = [...tenants.values()].reduce((total, row) => total + Number(row[field] ?? 0), 0);
    expect(
      Number(scheduler[field] ?? 0) === sum,
      `the scheduler counts ${scheduler[field]} ${field}, its tenants ${sum}`,
    );
  }
  const byUpstream = count((id) => lanes.get(jobs.get(id)?.lane ?? '')?.upstream);
  for (const [upstream, row] of upstreams) {
    expect(
      Number(row.inflight ?? 0) === (byUpstream.get(upstream) ?? 0),
      `upstream ${upstream} counts ${row.inflight} in flight`,
    );
    if (row.suspect === undefined) continue;
    const isWhole = ['cap', 'cap_before', 'strikes', 'throttled_at'].every((field) => field in row);
    expect(isWhole, `upstream ${upstream} suspects ${row.suspect} and knows no way back`);
  }
  const batch = Object.keys(inflight).filter((id) => lanes.get(jobs.get(id)?.lane ?? '')?.class === 'batch').length;
  const counted = Number((await redis.hget(key(tag, 'SCHEDULER'), 'batch_inflight')) ?? 0);
  expect(counted === batch, `the scheduler counts ${counted} batch jobs in flight, and ${batch} are`);

  const reserved = new Map<string, number>();
  for (const job of jobs.values()) {
    const [month = '', open = ''] = job.reservation?.split('|') ?? [];
    const field = `${job.tenant}:${month} ${job.credential}:reserved`;
    reserved.set(field, (reserved.get(field) ?? 0) + Number(open));
  }
  for (const [budget, row] of await hashes('BUDGET')) {
    for (const field of ['platform:reserved', 'user:reserved']) {
      const sum = reserved.get(`${budget} ${field}`) ?? 0;
      expect(Number(row[field] ?? 0) === sum, `budget ${budget} counts ${row[field]} ${field}, and the jobs ${sum}`);
    }
  }

  violations.push(...(await findLaneViolations(redis, tag, lanes, keys)));
  violations.push(...(await findAuditViolations(redis, tag, jobs)));
  const outgoing = { jobs, batches: await hashes('BATCH'), deliveries: await hashes('DELIVERY') };
  violations.push(...(await findDeliveryViolations(redis, tag, outgoing, keys)));
  violations.push(...(await findByteViolations(redis, tag, { ...outgoing, tenants }, keys)));
  if (allRecordsStored) {
    const counted = [...jobs.values(), ...batches.neverRan];
    violations.push(...findLedgerViolations(counted, await hashes('USAGE')));
    for (const { tenant, fields, lines } of batches.ledgers) {
      violations.push(...findLedgerViolations(lines, new Map([[`${tenant}:batch`, fields]])));
    }
  }
  return violations;
};

const findLaneViolations = async (
  redis: Redis,
  tag: string,
  lanes: Map<string, Record<string, string>>,
  keys: string[],
): Promise<string[]> => {
  const violations: string[] = [];
  const under = (name: Parameters<typeof key>[1]): string[] => keys.filter((each) => each.startsWith(key(tag, name)));
  const listed = new Map<string, string>();
  const enter = (lane: string, at: string): void => {
    if (listed.has(lane)) violations.push(`lane ${lane} stands twice: ${listed.get(lane)} and ${at}`);
    listed.set(lane, at);
  };
  const ready = await redis.zrange(key(tag, 'READY'), '0', '-1', 'WITHSCORES');
  const starts = new Map(ready.flatMap((tenant, index) => (index % 2 === 0 ? [[tenant, ready[index + 1]]] : [])));
  const capped = await redis.zrange(key(tag, 'CAPPED'), '0', '-1');
  for (const list of under('LANES')) {
    for (const lane of await redis.lrange(list, 0, -1)) enter(lane, 'ready');
    const tenant = list.slice(key(tag, 'LANES').length).split(':')[0] ?? '';
    if (!starts.has(tenant) && !capped.includes(tenant))
      violations.push(`${tenant} has ready lanes and is not in READY`);
  }
  for (const tenant of starts.keys()) {
    const has = under('LANES').some((list) => list.startsWith(`${key(tag, 'LANES')}${tenant}:`));
    if (!has) violations.push(`${tenant} is in READY without a ready lane`);
  }
  const interactive = await redis.zrange(key(tag, 'READY_INTERACTIVE'), '0', '-1', 'WITHSCORES');
  for (let index = 0; index < interactive.length; index += 2) {
    const tenant = interactive[index] ?? '';
    if (starts.get(tenant) !== interactive[index + 1]) violations.push(`${tenant} has two virtual starts`);
  }
  for (const lane of await redis.zrange(key(tag, 'PARKED'), '0', '-1')) enter(lane, 'parked');
  for (const list of under('UPSTREAM_LANES')) for (const lane of await redis.lrange(list, 0, -1)) enter(lane, 'capped');
  for (const [lane, row] of lanes) {
    const at = listed.get(lane) ?? 'idle';
    if (row.at !== at) violations.push(`lane ${lane} says ${row.at} and is ${at}`);
    const waiting = keys.includes(key(tag, 'LANE_NEW', lane)) || keys.includes(key(tag, 'LANE_BACK', lane));
    const since = await redis.zscore(key(tag, 'WAITING_LANES', row.class ?? ''), lane);
    if ((at === 'idle') !== (since === null)) violations.push(`lane ${lane} is ${at} and waits since ${since}`);
    if (at === 'idle' && waiting) violations.push(`lane ${lane} is idle and has ids`);
  }
  return violations;
};

/** The audit log says of each attempt that its credential was granted once, and how it ended. */
const findAuditViolations = async (
  redis: Redis,
  tag: string,
  jobs: Map<string, Record<string, string>>,
): Promise<string[]> => {
  const granted = new Map<string, number>();
  const ended = new Map<string, string>();
  const throttles = new Map<string, number>();
  for (const [, [, row = '[]']] of await redis.xrange(key(tag, 'AUDIT'), '-', '+')) {
    const [kind, , , id = '', number, , , , , decision, outcome] = JSON.parse(row) as string[];
    const attempt = `${id} ${number}`;
    if (kind === 'attempt_started') granted.set(attempt, (granted.get(attempt) ?? 0) + 1);
    if (kind === 'attempt_ended') ended.set(attempt, outcome ?? '');
    if (outcome === 'throttled' && decision !== 'late' && decision !== 'superseded') {
      throttles.set(id, (throttles.get(id) ?? 0) + 1);
    }
  }
  const violations: string[] = [];
  for (const [id, job] of jobs) {
    const counted = Number(job.throttles ?? 0);
    if (counted !== (throttles.get(id) ?? 0))
      violations.push(`${id} counts ${counted} throttles, and the audit log ${throttles.get(id) ?? 0}`);
    for (const [field, row] of Object.entries(job)) {
      if (!field.startsWith('attempt:')) continue;
      const attempt = `${id} ${field.slice('attempt:'.length)}`;
      const [, , outcome = ''] = row.split('|');
      const [times, end] = [granted.get(attempt) ?? 0, ended.get(attempt) ?? ''];
      if (times !== 1) violations.push(`the audit log grants a credential ${times} times for attempt ${attempt}`);
      if (end !== outcome)
        violations.push(`the audit log ends attempt ${attempt} as '${end}', and it ended as '${outcome}'`);
    }
  }
  return violations;
};

const LEDGER = {
  billed_input: 'input_tokens',
  billed_output: 'output_tokens',
  billed_cached: 'cached_input_tokens',
  billed_nano: 'cost_nano',
} as const;

const findLedgerViolations = (
  jobs: readonly Record<string, string>[],
  ledgers: Map<string, Record<string, string>>,
): string[] => {
  const violations: string[] = [];
  const sums = new Map<string, number>();
  const add = (sum: Map<string, number>, name: string, amount: number): void => {
    sum.set(name, (sum.get(name) ?? 0) + amount);
  };
  for (const job of jobs) {
    const row = `${job.tenant}|${job.provider}|${job.model}|${job.credential}`;
    for (const [field, counter] of Object.entries(LEDGER)) add(sums, `${row}|${counter}`, Number(job[field] ?? 0));
    if (job.unpriced) add(sums, `${row}|unpriced_requests`, 1);
    if (FINAL.has(job.status ?? '')) {
      add(sums, `${row}|requests`, 1);
      add(sums, `${row}|${job.status}`, 1);
    }
  }
  const entries = new Map<string, number>();
  for (const [ledger, fields] of ledgers) {
    const tenant = ledger.split(':')[0];
    for (const [row, counts] of Object.entries(fields)) {
      for (const [counter, count] of countsIn(counts)) add(entries, `${tenant}|${row}|${counter}`, count);
    }
  }
  for (const name of new Set([...sums.keys(), ...entries.keys()])) {
    const [ledger, sum] = [entries.get(name) ?? 0, sums.get(name) ?? 0];
    if (ledger !== sum) violations.push(`the ledger says ${ledger} for ${name}, and the jobs sum up to ${sum}`);
  }
  return violations;
};

const scanAll = async (redis: Redis, pattern: string): Promise<string[]> => {
  const keys = new Set<string>();
  let cursor = '0';
  do {
    const [next, page] = await redis.scan(cursor, 'MATCH', pattern, 'COUNT', 1_000);
    for (const each of page) keys.add(each);
    cursor = next;
  } while (cursor !== '0');
  return [...keys];
};
