/** Whole numbers up to 2^53 leave the scripts as they are: `cjson` and Lua's own texts keep 14 digits. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { composeScript } from '../../../shared/storage/commands/run/compose.ts';
import { key, shardTag } from '../../../shared/storage/redis/names.ts';
import { useRedis } from '../../support/redis/use-engine.ts';

const folder = new URL('../../../shared/storage/commands/', import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, folder), 'utf8');
const NUMBERS = [
  0,
  1,
  ...Array.from({ length: 40 }, (_, power) => 2 ** (power + 13) + 1),
  10 ** 14,
  10 ** 15 + 7,
  2 ** 53 - 1,
].flatMap((number) => (number <= Number.MAX_SAFE_INTEGER ? [number, -number + 0] : []));

const { redis } = await useRedis();

test('in rows of the audit log, at any depth', async () => {
  const { text: lua } = composeScript({
    text: `local n = input.number
      Audit.append('kind', 'acme', n, { n }, { limit = { n } }, cjson.null, 'a "text"', 0.5)`,
    inputs: { number: 'whole' },
    flags: [],
  });
  for (const number of NUMBERS) {
    await redis.eval(lua, 1, shardTag(0), number);
    const [[, [, row = '']] = ['', []]] = await redis.xrevrange(key(shardTag(0), 'AUDIT'), '+', '-', 'COUNT', 1);
    expect(JSON.parse(row)).toEqual(['kind', 'acme', number, [number], { limit: [number] }, null, 'a "text"', 0.5]);
  }
});

test('as arguments of commands', async () => {
  for (const number of NUMBERS) {
    await redis.eval("redis.call('HSET', KEYS[1], 'field', tonumber(ARGV[1]))", 1, '{s0}:numbers', number);
    expect(await redis.hget('{s0}:numbers', 'field')).toBe(String(number));
  }
});

test('no script turns numbers to JSON by itself', () => {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.lua'));
  const encoding = files.filter((file) => /cjson\.encode|tostring\(|%\.1[0-9]g/.test(read(file)));
  expect(encoding).toEqual(['lib/audit.lua']);
});
