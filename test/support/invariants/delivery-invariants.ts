/** What must hold of events and deliveries in Redis, beside the other invariants. */
import type { Redis } from 'ioredis';
import { key } from '../../../shared/storage/redis/names.ts';

const FINAL = new Set(['completed', 'failed', 'cancelled', 'expired']);

type Hashes = Map<string, Record<string, string>>;

/** `keys`: the names of all keys of the shard. */
export const findDeliveryViolations = async (
  redis: Redis,
  tag: string,
  { jobs, batches, deliveries }: { jobs: Hashes; batches: Hashes; deliveries: Hashes },
  keys: string[],
): Promise<string[]> => {
  const violations: string[] = [];
  const under = (name: Parameters<typeof key>[1]): string[] => {
    const prefix = key(tag, name);
    return keys.filter((each) => each.startsWith(prefix)).map((each) => each.slice(prefix.length));
  };
  for (const [id, { status = '', webhook, finished, erased }] of jobs) {
    const [, types = ''] = webhook?.split(' ') ?? [];
    const told = FINAL.has(status) && types.split(',').includes(`job.${status}`);
    const delivery = deliveries.get(id.replace('job_', 'evt_'));
    if (told && delivery?.type !== `job.${status}`) violations.push(`final ${id} has no delivery of job.${status}`);
    if (told && delivery && delivery.happened !== finished) violations.push(`the event of ${id} has another time`);
    // Of a deleted job nothing says any more whom its event, which may be on its way, was for.
    if (!told && delivery && !erased) violations.push(`${status} ${id} has a delivery, which it should not`);
  }

  for (const { id = '', status = '', webhook } of batches.values()) {
    if (status === 'erasing') continue;
    const [, types = ''] = webhook?.split(' ') ?? [];
    const told = FINAL.has(status) && types.split(',').includes(`batch.${status}`);
    const delivery = deliveries.get(id.replace('batch_', 'evt_'));
    if (told !== (delivery !== undefined)) violations.push(`${status} ${id} has ${delivery ? 'a' : 'no'} delivery`);
  }

  const due = await redis.zrange(key(tag, 'OUTBOX'), '0', '-1');
  const outbox = new Set(due);
  for (const id of due) if (!deliveries.has(id)) violations.push(`${id} is in the outbox without a record`);
  const lines = new Map<string, string[]>();
  for (const endpoint of under('ENDPOINT_LINE')) {
    for (const id of await redis.lrange(key(tag, 'ENDPOINT_LINE', endpoint), 0, -1)) {
      lines.set(id, [...(lines.get(id) ?? []), endpoint]);
    }
  }
  const handed = new Map<string, number>();
  const outgoing = new Map<string, number>();
  const add = (counts: Map<string, number>, name: string): unknown => counts.set(name, (counts.get(name) ?? 0) + 1);
  // BullMQ keeps the lock of a job beside it.
  const known = under('DELIVERIES').filter((name) => name.startsWith('evt_') && !name.includes(':'));
  for (const [id, { status, at, endpoint = '', tenant = '', handoff, ...row }] of deliveries) {
    if (!outbox.has(id)) violations.push(`${id} is not in the outbox`);
    const places = ['handed', 'waiting', 'due'];
    if (status === 'pending' && !places.includes(at ?? '')) violations.push(`pending ${id} stands at ${at}`);
    if (status !== 'pending' && at) violations.push(`${status} ${id} stands at ${at}`);
    if (at === 'handed') {
      add(handed, endpoint);
      add(outgoing, `of:${tenant}`);
      add(outgoing, 'all');
    }
    const line = lines.get(id) ?? [];
    const stands = at === 'waiting' ? endpoint : '';
    if (line.join() !== stands) violations.push(`${id} at ${at} stands in the lines of ${line.join()}`);
    const open = Object.entries(row).filter(
      ([field, text]) => field.startsWith('attempt:') && text.split('|')[2] === '',
    );
    if (open.length > (at === 'handed' ? 1 : 0)) violations.push(`${id} at ${at} has ${open.length} open attempts`);
    const names = known.filter((name) => name.startsWith(`${id}-`));
    for (const name of names) {
      if (at !== 'handed' || name !== `${id}-${handoff}`)
        violations.push(`BullMQ knows ${name}, which is no current hand-off`);
    }
    const listed = await redis.zscore(key(tag, 'TENANT_DELIVERIES', tenant), id);
    if (listed !== row.happened) violations.push(`${id} is not in its tenant's list`);
    const failed = await redis.zscore(key(tag, 'FAILED_DELIVERIES', tenant), id);
    if (failed !== null && status !== 'failed') violations.push(`${status} ${id} is listed as failed`);
  }
  for (const endpoint of new Set([...under('ENDPOINT'), ...handed.keys()])) {
    const { inflight = '0' } = await redis.hgetall(key(tag, 'ENDPOINT', endpoint));
    const count = handed.get(endpoint) ?? 0;
    if (Number(inflight) !== count)
      violations.push(`endpoint ${endpoint} counts ${inflight} in flight, and ${count} are`);
  }

  const { slots: _, turn: __, ...counted } = await redis.hgetall(key(tag, 'OUTGOING'));
  for (const name of new Set([...Object.keys(counted), ...outgoing.keys()])) {
    const are = outgoing.get(name) ?? 0;
    // A tenant without any has no count.
    const right = are === 0 && name !== 'all' ? undefined : String(are);
    if (counted[name] !== right) violations.push(`outgoing ${name} is ${counted[name]}, and ${are} are`);
  }

  // Something brings the next turn of each line.
  const paused = new Set(await redis.zrange(key(tag, 'PAUSED_ENDPOINTS'), '0', '-1'));
  const inTurn = new Map<string, string>();
  for (const tenant of under('ENDPOINT_TURNS')) {
    for (const endpoint of await redis.zrange(key(tag, 'ENDPOINT_TURNS', tenant), '0', '-1')) {
      inTurn.set(endpoint, tenant);
    }
    const looked = await redis.zscore(key(tag, 'WAITING_TENANTS'), tenant);
    if (looked === null) violations.push(`nobody looks after the turns of ${tenant}`);
  }
  for (const [id, { at, endpoint = '', tenant = '' }] of deliveries) {
    const brought =
      inTurn.get(endpoint) === tenant || paused.has(`${endpoint} ${tenant}`) || (handed.get(endpoint) ?? 0) > 0;
    if (at === 'waiting' && !brought) violations.push(`${id} waits at ${endpoint}, whose turn nothing brings`);
  }
  return violations;
};
