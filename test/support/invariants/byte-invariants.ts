/** What must hold of the bytes that are counted for tenants: they are those that stand in the raw keys. */
import type { Redis } from 'ioredis';
import { parseStored, piecesOf } from '../../../shared/storage/bodies/stored-body.ts';
import { type KeyName, key } from '../../../shared/storage/redis/names.ts';
import { stemOfLine } from './batch-invariants.ts';

type Hashes = ReadonlyMap<string, Record<string, string>>;

/** Beside the texts of a job, line or batch. */
const RECORD_BYTES = 1_024;
const STEP_MS = 10_000;

const bytesOf = (...texts: (string | undefined)[]): number =>
  texts.reduce((sum, text = '') => sum + Buffer.byteLength(text), 0);

/** Of a body, in pieces or not. */
const bytesOfBody = (text: string | null): number => (text === null ? 0 : piecesOf(text).bytes);

/** What does not hold of the pieces of long bodies: those that are named are there, and all others go soon. */
const findPieceViolations = async (
  redis: Redis,
  { at, names }: { at: (name: KeyName, id?: string) => string; names: readonly string[] },
): Promise<{ violations: string[]; staged: Map<string, number> }> => {
  const violations: string[] = [];
  const staged = new Map<string, number>();
  for (const [of, text] of [
    ['REQUEST_BODY', 'REQUEST'],
    ['ANSWER', 'RESULT'],
  ] as const) {
    for (const name of names.filter((each) => each.startsWith(at(of)))) {
      const id = name.slice(at(of).length);
      const fields = await redis.hgetall(name);
      const { held } = fields;
      if (held !== undefined) {
        const [bytes = '', ends = ''] = held.split(' ');
        staged.set(ends, (staged.get(ends) ?? 0) + Number(bytes));
      }
      const named = (await redis.get(at(text, id))) ?? '';
      if (piecesOf(named).pieces > 0) continue;
      const life = await redis.pttl(name);
      // -2: it is gone by now.
      if (life === -1 || life > 60_000) violations.push(`nothing names ${name}, and it stays for ${life} ms`);
    }
    for (const name of names.filter((each) => each.startsWith(at(text)))) {
      const id = name.slice(at(text).length);
      const stored = parseStored((await redis.get(name)) ?? '{');
      if (stored?.kind !== 'pieces' && stored?.kind !== 'sealed_pieces') continue;
      const there = await redis.hlen(at(of, id));
      if (there !== stored.pieces && (await redis.exists(name))) {
        violations.push(`${id} has ${there} pieces of ${stored.pieces}`);
      }
    }
  }
  return { violations, staged };
};

/** `names`: those of all keys of the shard. */
export const findByteViolations = async (
  redis: Redis,
  tag: string,
  { jobs, tenants, batches, deliveries }: Record<'jobs' | 'tenants' | 'batches' | 'deliveries', Hashes>,
  names: readonly string[],
): Promise<string[]> => {
  const at = (name: KeyName, id = ''): string => key(tag, name, id);
  const { violations, staged } = await findPieceViolations(redis, { at, names });
  const sums = new Map<string, number>();
  const add = (to: Map<string, number>, name: string, bytes: number): void => {
    to.set(name, (to.get(name) ?? 0) + bytes);
  };

  const parts = await redis.zrange(at('STORED_UNTIL'), '0', '-1', 'WITHSCORES');
  const looks = new Map(parts.flatMap((part, index) => (index % 2 === 0 ? [[part, Number(parts[index + 1])]] : [])));
  const counted = new Map<string, number>();
  for (const name of names.filter((each) => each.startsWith(at('STORED_BYTES')))) {
    const part = name.slice(at('STORED_BYTES').length);
    // One without bytes was given back since it was listed.
    const bytes = await redis.get(name);
    if (bytes === null) continue;
    counted.set(part, Number(bytes));
    add(sums, part.slice(part.indexOf(':') + 1), Number(bytes));
    if (!looks.has(part)) violations.push(`nothing gives back ${part}`);
  }
  for (const part of looks.keys()) if (!counted.has(part)) violations.push(`${part} is looked for in vain`);

  const held = new Map<string, number>();
  const hold = ({ held: text = '', tenant }: Record<string, string>): number | null => {
    const [bytes = '', ends = ''] = text.split(' ');
    const part = `${ends}:${tenant}`;
    // Of the release before; or its time is up: what was given back may still be stored for a moment.
    if (text === '' || (!counted.has(part) && Number(ends) <= Date.now())) return null;
    add(held, part, Number(bytes));
    return Number(bytes);
  };
  for (const [id, delivery] of deliveries) {
    const bytes = hold(delivery);
    const actual = RECORD_BYTES + bytesOf(delivery.url);
    if (bytes !== null && bytes !== actual) violations.push(`${id} counts ${bytes} bytes, and has ${actual}`);
  }
  for (const [id, job] of jobs) {
    // A line counts with its batch, but for what stays of it when that is erased.
    if (stemOfLine(id) !== null && job.held === undefined) continue;
    const bytes = hold(job);
    if (bytes === null) continue;
    const [request, result] = [await redis.get(at('REQUEST', id)), await redis.get(at('RESULT', id))];
    const { metadata, webhook, detail, warnings } = job;
    const texts = bytesOf(metadata, webhook, detail, warnings);
    const actual = RECORD_BYTES + bytesOfBody(request) + bytesOfBody(result) + texts;
    if (bytes !== actual && (await redis.exists(at('JOB', id)))) {
      violations.push(`${job.status} ${id} counts ${bytes} bytes, and has ${actual}`);
    }
  }
  for (const part of held.keys()) if (!counted.has(part)) violations.push(`${part} is not counted`);

  for (const [part, bytes] of counted) {
    const [stemOrEnds = ''] = part.split(':');
    const batch = batches.get(stemOrEnds);
    if (batch) {
      // What is being erased is given back with its last piece.
      const actual = batch.status === 'erasing' ? bytes : await bytesOfBatch(redis, at, stemOrEnds, batch);
      if (bytes !== actual) violations.push(`batch ${stemOrEnds} counts ${bytes} bytes, and has ${actual}`);
      continue;
    }
    const sum = held.get(part) ?? 0;
    // Records that ended within the step are gone, and counted until it is over.
    const mayHaveEnded = Number(stemOrEnds) - STEP_MS <= Date.now();
    const isExplained = sum <= bytes && bytes <= sum + (staged.get(stemOrEnds) ?? 0);
    if (mayHaveEnded ? sum > bytes : !isExplained) violations.push(`${bytes} bytes are ${part}, and jobs have ${sum}`);
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
