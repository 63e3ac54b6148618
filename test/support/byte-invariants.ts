/** What must hold of the bytes that are counted for tenants: they are those that stand in the raw keys. */
import type { Redis } from 'ioredis';
import { type KeyName, key } from '../../shared/redis/keys.ts';
import { stemOfLine } from './batch-invariants.ts';

type Hashes = ReadonlyMap<string, Record<string, string>>;

/** Beside the texts of a job, line or batch. */
const RECORD_BYTES = 1_024;
const STEP_MS = 10_000;

const bytesOf = (...texts: (string | undefined)[]): number =>
  texts.reduce((sum, text = '') => sum + Buffer.byteLength(text), 0);

export const findByteViolations = async (
  redis: Redis,
  tag: string,
  { jobs, tenants, batches }: { jobs: Hashes; tenants: Hashes; batches: Hashes },
): Promise<string[]> => {
  const violations: string[] = [];
  const at = (name: KeyName, id = ''): string => key(tag, name, id);
  const sums = new Map<string, number>();
  const add = (to: Map<string, number>, name: string, bytes: number): void => {
    to.set(name, (to.get(name) ?? 0) + bytes);
  };

  const ending = await redis.hgetall(at('ENDING_BYTES'));
  const held = new Map<string, number>();
  for (const [id, job] of jobs) {
    if (stemOfLine(id) !== null || !job.held) continue;
    const [bytes = '', ends = ''] = job.held.split(' ');
    const counted = `${ends} ${job.tenant}`;
    // Its time is up: what was given back may still be stored for a moment.
    if (!(counted in ending) && Number(ends) <= Date.now()) continue;
    add(held, counted, Number(bytes));
    const [request, result] = [await redis.get(at('REQUEST', id)), await redis.get(at('RESULT', id))];
    const { metadata, webhook, detail } = job;
    const actual = RECORD_BYTES + bytesOf(request ?? '', result ?? '', metadata, webhook, detail);
    if (Number(bytes) !== actual && (await redis.exists(at('JOB', id)))) {
      violations.push(`${job.status} ${id} counts ${bytes} bytes, and has ${actual}`);
    }
  }
  for (const [field, bytes] of Object.entries(ending)) {
    const [ends = '', tenant = ''] = field.split(' ');
    add(sums, tenant, Number(bytes));
    const sum = held.get(field) ?? 0;
    // Records that ended within the step are gone, and counted until it is over.
    const mayHaveEnded = Number(ends) - STEP_MS <= Date.now();
    if (mayHaveEnded ? sum > Number(bytes) : sum !== Number(bytes)) {
      violations.push(`${bytes} bytes of ${tenant} end at ${ends}, and its jobs have ${sum}`);
    }
    if ((await redis.zscore(at('ENDING'), field)) !== ends) violations.push(`nothing gives back ${field}`);
  }
  for (const field of held.keys()) if (!(field in ending)) violations.push(`${field} is not counted`);
  if ((await redis.zcard(at('ENDING'))) !== Object.keys(ending).length) {
    violations.push('bytes that ended are looked for in vain');
  }

  for (const [field, bytes] of Object.entries(await redis.hgetall(at('BATCH_BYTES')))) {
    const [stem = '', tenant = ''] = field.split(' ');
    add(sums, tenant, Number(bytes));
    const batch = batches.get(stem);
    if (!batch) violations.push(`${bytes} bytes are counted of batch ${stem}, which is not stored`);
    // What is being erased is given back with its last piece.
    if (!batch || batch.status === 'erasing') continue;
    const actual = await bytesOfBatch(redis, at, stem, batch);
    if (Number(bytes) !== actual) violations.push(`batch ${stem} counts ${bytes} bytes, and has ${actual}`);
  }

  for (const [tenant, { stored_bytes = '0' }] of tenants) {
    const sum = sums.get(tenant) ?? 0;
    if (Number(stored_bytes) !== sum) violations.push(`${tenant} counts ${stored_bytes} stored bytes, and has ${sum}`);
  }
  return violations;
};

const bytesOfBatch = async (
  redis: Redis,
  at: (name: KeyName, id?: string) => string,
  stem: string,
  { total = '0', metadata, webhook, errors }: Record<string, string>,
): Promise<number> => {
  let sum = RECORD_BYTES + bytesOf(metadata, webhook, errors);
  for (let part = 0; part <= Math.floor(Number(total) / 32); part++) {
    const place = stem + textOf(part);
    for (const [field, text] of Object.entries(await redis.hgetall(at('BATCH_LINES', place)))) {
      const [head = ''] = text.split('\n');
      const id = `job_${place}${field}${head.split(' ')[0]}`;
      const [result, detail] = [await redis.get(at('RESULT', id)), await redis.hget(at('JOB', id), 'detail')];
      sum += RECORD_BYTES + bytesOf(text.replace(/^([^\n]*) erased\n/, '$1\n'), result ?? '', detail ?? '');
    }
  }
  return sum;
};

/** The part of BATCH_LINES, in Crockford's base32. */
const textOf = (part: number): string => {
  const digits = '0123456789abcdefghjkmnpqrstvwxyz';
  return [part >> 10, part >> 5, part].map((value) => digits[value & 31] ?? '').join('');
};
