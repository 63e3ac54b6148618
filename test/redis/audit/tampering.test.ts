/** Whatever is done to the keys of a chain, `verify` ends, and says by name what it found; an untouched chain holds. */
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { BEGINNING, createAuditSeals, type Link } from '../../../shared/keys/signing/audit-seals.ts';
import { type AuditStore, createAuditStore } from '../../../shared/storage/audit/audit-store.ts';
import { type ChainReport, parseAnchor, verifyChain } from '../../../shared/storage/audit/verify-chain.ts';
import { createCommands } from '../../../shared/storage/commands/run/run-commands.ts';
import { key } from '../../../shared/storage/redis/names.ts';
import { runCommand } from '../../support/processes/command.ts';
import { TAG } from '../../support/redis/engine.ts';
import { startOwnRedis, type TestRedis } from '../../support/redis/redis.ts';
import { peppersOf, ringText } from '../../unit/keys/rings.ts';

const CHAIN = 's0';
const PEPPERS = ringText('p1');
const seals = createAuditSeals(peppersOf(PEPPERS));
const [ROWS, SEALS, CHECKPOINT] = (['AUDIT', 'AUDIT_SEALS', 'AUDIT_CHECKPOINT'] as const).map((name) =>
  key(TAG, name),
) as [string, string, string];
const KEYS = [ROWS, SEALS, CHECKPOINT];

let server: TestRedis;
let redis: Redis;
let audit: AuditStore;
beforeAll(async () => {
  server = await startOwnRedis();
  redis = new Redis(server.url);
  audit = createAuditStore({ redis, run: createCommands(redis), shards: 1 });
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

const START_MS = Date.now() - 3_600_000;
const row = (index: number): [id: string, ...fields: string[]] => [
  `${START_MS + index}-0`,
  'row',
  JSON.stringify(['attempt_started', 'acme', `row ${index}`]),
];

/** 6 seals of 5 rows that were made in time an hour ago, the first two of which are forgotten. */
const build = async (): Promise<string> => {
  await redis.flushdb();
  let newest: Link = BEGINNING;
  for (let seal = 0; seal < 6; seal++) {
    const rows = Array.from({ length: 5 }, (_, index) => row(seal * 5 + index));
    for (const [id, ...fields] of rows) await redis.xadd(ROWS, id, ...fields);
    const entries = rows.map(([id, ...fields]) => [id, fields] as const);
    const made = seals.seal(CHAIN, newest, entries, START_MS + seal * 5 + 1_000);
    await audit.seal(CHAIN, 'builder', made);
    if (seal === 1) await audit.trim(CHAIN, null, seals.checkpoint(CHAIN, made));
    newest = made;
  }
  return `${CHAIN}:${newest.number}:${newest.mac}`;
};

let anchor = '';
let whole: Map<string, Buffer>;
const dump = async (): Promise<Map<string, Buffer>> =>
  new Map(await Promise.all(KEYS.map(async (name) => [name, await redis.dumpBuffer(name)] as const)));
beforeAll(async () => {
  anchor = await build();
  whole = await dump();
});
/** What can be read of the keys. A stream that was written again has other bytes. */
const contents = async (): Promise<string> =>
  JSON.stringify([
    await Promise.all([ROWS, SEALS].map((name) => redis.xrange(name, '-', '+').catch(() => 'no stream'))),
    await redis.hgetall(CHECKPOINT).catch(() => 'no hash'),
  ]);
let untouched = '';
beforeAll(async () => {
  untouched = await contents();
});
beforeEach(() => restore());
const restore = async (): Promise<void> => {
  await redis.flushdb();
  for (const [name, bytes] of whole) await redis.restore(name, 0, bytes);
};

const verify = (anchors = [anchor]): Promise<ChainReport> =>
  verifyChain(
    { audit, seals },
    CHAIN,
    anchors.flatMap((text) => parseAnchor(text) ?? []),
  );
const command = (...args: string[]) =>
  runCommand('audit', ['verify', ...args], { REDIS_URL: server.url, KEY_PEPPERS: PEPPERS });

type Stored = [id: string, fields: string[]];
const rewrite = async (stream: string, change: (entries: Stored[]) => Stored[]): Promise<void> => {
  const entries = await redis.xrange(stream, '-', '+');
  await redis.del(stream);
  for (const [id, fields] of change(entries)) await redis.xadd(stream, id, ...(fields.length > 0 ? fields : ['', '']));
};

test('an untouched chain holds, with and without its anchor, and the command ends with 0', async () => {
  const facts = { holds: true, flaws: [], broken: null, verified_rows: 20, sealed_late: 0, unsealed_rows: 0, anchor };
  expect(await verify()).toMatchObject(facts);
  expect(await verify([])).toMatchObject(facts);
  expect((await command('--anchor', anchor)).code).toBe(0);
});

describe('each kind of flaw is named, with its place, and the command ends with 1:', () => {
  const place = (index: number): string => `${CHAIN}:${row(index)[0]}`;
  const append = async (ids: string[], sealedMs: number | null, fields = ['row', '["key_revoked","acme"]']) => {
    for (const id of ids) await redis.xadd(ROWS, id, ...fields);
    if (sealedMs === null) return;
    const newest = await audit.link(CHAIN, 'newest');
    const entries = ids.map((id) => [id, fields] as const);
    await redis.del(key(TAG, 'AUDIT_LEASE'));
    await audit.seal(CHAIN, 'late', seals.seal(CHAIN, newest ?? BEGINNING, entries, sealedMs));
  };
  const rows: [kind: string, change: () => Promise<unknown>, at: { seal?: number | null; row?: string | null }][] = [
    [
      'changed',
      () => rewrite(ROWS, (all) => all.with(2, [all[2]?.[0] ?? '', ['row', '["key_revoked","beta"]']])),
      { seal: 3, row: place(14) },
    ],
    ['rows', () => redis.xdel(ROWS, row(17)[0]), { seal: 4, row: place(19) }],
    ['missing', () => redis.xdel(SEALS, '4-0'), { seal: 4 }],
    ['garbage', () => rewrite(SEALS, (all) => all.with(1, [all[1]?.[0] ?? '', ['x', 'y']])), { seal: 4 }],
    ['duplicate', () => rewrite(SEALS, (all) => all.toSpliced(1, 0, ['3-1', all[0]?.[1] ?? []])), { seal: 3 }],
    ['stray', () => rewrite(ROWS, (all) => [[row(3)[0], ['row', '["key_revoked","x"]']], ...all]), { row: place(3) }],
    ['stray', () => rewrite(SEALS, (all) => [['1-0', all[0]?.[1] ?? []], ...all]), { row: null }],
    ['checkpoint', () => redis.hset(CHECKPOINT, 'number', 'x'), { seal: null }],
    ['missing', () => redis.del(CHECKPOINT), { seal: 1 }],
    ['unreadable', () => redis.set(SEALS, 'x'), {}],
    ['unsealed', () => redis.xdel(SEALS, '6-0'), { row: place(25) }],
    [
      'late',
      () => append([`${START_MS + 500}-0`], START_MS + 500 + 61_000),
      { seal: 7, row: `${CHAIN}:${START_MS + 500}-0` },
    ],
    // Of the year 2286, as every row after it will be.
    [
      'future',
      () => append(['9999999999999-0', '9999999999999-1'], Date.now()),
      { seal: 7, row: `${CHAIN}:9999999999999-0` },
    ],
    ['future', () => append(['18446744073709551615-3'], null), { row: `${CHAIN}:18446744073709551615-3` }],
    ['order', () => append([`${START_MS + 500}-0`], START_MS - 120_000), { seal: 7 }],
    ['foreign', () => append([`${Date.now()}-0`], null, ['x', 'y']), {}],
    ['foreign', () => append([`${Date.now()}-0`], Date.now(), ['row', '{"a":1}']), {}],
  ];
  test.each(rows)('%s (%#)', async (kind, change, at) => {
    await change();
    const report = await verify([]);
    expect(report.holds).toBe(false);
    expect(report.flaws.map((flaw) => flaw.kind)).toContain(kind);
    expect(report.flaws.find((flaw) => flaw.kind === kind)).toMatchObject(at);
    const { code, stdout, stderr } = await command('--json');
    expect([code, stderr]).toEqual([1, '']);
    expect(JSON.parse(stdout)).toMatchObject([{ flaws: report.flaws }, { holds: true }]);
  });

  test('a worker’s late seal is excused by an anchor that was noted since, and by no older one', async () => {
    await append([`${START_MS + 500}-0`], Date.now());
    const { anchor: newer } = await verify([]);
    expect(await verify()).toMatchObject({ holds: false, flaws: [{ kind: 'late', seal: 7 }] });
    expect(await verify([newer ?? ''])).toMatchObject({ holds: true, sealed_late: 0 });
  });

  test('rows of any time are listed, and the next page goes on behind them', async () => {
    await append(['18446744073709551615-18446744073709551615'], null);
    const { rows: listed, next } = await audit.list({ tenant: null, limit: 1, after: null });
    expect(listed).toMatchObject([{ time: '+275760-09-13T00:00:00.000Z' }]);
    expect((await audit.list({ tenant: null, limit: 1, after: next })).rows).toMatchObject([{ id: place(29) }]);
  });
});

describe('swept:', () => {
  const garbage = fc.oneof(
    fc.string({ maxLength: 20 }),
    fc.constantFrom(
      '',
      'NaN',
      '-1',
      '1e9',
      '9'.repeat(25),
      '0-0',
      '1-1',
      '\0',
      '[]',
      '{}',
      'p1',
      '18446744073709551616-0',
    ),
  );
  const at = fc.nat(1_000);
  const pick = <T>(all: readonly T[], index: number): number => index % Math.max(1, all.length);
  /** In a text: another character, one more or one less. */
  const spoilt = (text: string, where: number, by: string): string => {
    const index = where % (text.length + 1);
    const changed = text.slice(0, index) + by + text.slice(index + 1);
    return changed === text ? `${text}x` : changed;
  };
  const stream = fc.constantFrom(ROWS, SEALS);

  type Tampering = { what: string; apply: () => Promise<unknown> };
  const tampering: fc.Arbitrary<Tampering> = fc.oneof(
    fc.tuple(stream, at, at, at, garbage).map(([name, entry, field, where, by]) => ({
      what: 'a field spoilt',
      apply: () =>
        rewrite(name, (all) => {
          const [id, fields] = all[pick(all, entry)] ?? ['', []];
          const chosen = pick(fields, field);
          return all.with(pick(all, entry), [id, fields.with(chosen, spoilt(fields[chosen] ?? '', where, by))]);
        }),
    })),
    fc.tuple(stream, at, garbage).map(([name, entry, by]) => ({
      what: 'an entry replaced',
      apply: () => rewrite(name, (all) => all.with(pick(all, entry), [all[pick(all, entry)]?.[0] ?? '', [by, by]])),
    })),
    fc.tuple(stream, at).map(([name, entry]) => ({
      what: 'an entry removed',
      apply: () => rewrite(name, (all) => all.toSpliced(pick(all, entry), 1)),
    })),
    fc.tuple(stream, at, garbage).map(([name, entry, by]) => ({
      what: 'an entry beside another',
      apply: () =>
        rewrite(name, (all) => {
          const index = pick(all, entry);
          return all.toSpliced(index + 1, 0, [(all[index]?.[0] ?? '').replace(/-0$/, '-1'), [by, by]]);
        }),
    })),
    fc.tuple(stream, at, at).map(([name, one, other]) => ({
      what: 'two entries exchanged, or all behind one cut off',
      apply: () =>
        rewrite(name, (all) => {
          const [first, second] = [pick(all, one), pick(all, other)];
          if (first === second) return all.slice(0, first);
          const [a, b] = [all[first], all[second]];
          return all.with(first, [a?.[0] ?? '', b?.[1] ?? []]).with(second, [b?.[0] ?? '', a?.[1] ?? []]);
        }),
    })),
    fc.tuple(fc.constantFrom(...KEYS), fc.constantFrom('del', 'set', 'list', 'hash', 'zset')).map(([name, how]) => ({
      what: `a key: ${how}`,
      apply: async () => {
        await redis.del(name);
        if (how === 'set') await redis.set(name, 'x');
        if (how === 'list') await redis.rpush(name, 'x');
        if (how === 'hash') await redis.hset(name, 'number', '3');
        if (how === 'zset') await redis.zadd(name, 1, 'x');
      },
    })),
    fc
      .tuple(fc.constantFrom('number', 'last', 'mac', 'pepper', 'check'), at, garbage, fc.boolean())
      .map(([field, where, by, remove]) => ({
        what: 'a field of the checkpoint',
        apply: async () => {
          const value = (await redis.hget(CHECKPOINT, field)) ?? '';
          return remove ? redis.hdel(CHECKPOINT, field) : redis.hset(CHECKPOINT, field, spoilt(value, where, by));
        },
      })),
  );

  test('after anything that is done to a chain, verify ends and names a flaw', async () => {
    const kinds = new Set<string>();
    await fc.assert(
      fc
        .asyncProperty(fc.array(tampering, { minLength: 1, maxLength: 3 }), async (steps) => {
          for (const { apply } of steps) {
            // A step may find a key that an earlier one took away.
            await apply().catch((error: Error) =>
              expect(error.message).toMatch(/WRONGTYPE|no such key|ID specified|Invalid/),
            );
          }
          const touched = (await contents()) !== untouched;
          const report = await verify();
          expect(report.holds).toBe(!touched);
          expect(report.flaws.length > 0).toBe(touched);
          for (const { kind, text } of report.flaws) {
            kinds.add(kind);
            expect(text).not.toBe('');
          }
          expect(report.broken).toBe(report.flaws[0]?.text ?? null);
        })
        .beforeEach(restore),
      { numRuns: 600 },
    );
    // The sweep reaches what it is meant to reach.
    for (const kind of ['changed', 'rows', 'missing', 'garbage', 'duplicate', 'checkpoint', 'unreadable', 'anchor']) {
      expect(kinds).toContain(kind);
    }
  }, 60_000);

  test('nothing that is done to a chain makes a worker seal on top of it, or stops it from trying', async () => {
    // As `tend` asks: the script and the reads that it rests on end, whatever stands there.
    await fc.assert(
      fc
        .asyncProperty(tampering, async ({ apply }) => {
          await apply().catch(() => {});
          await redis.del(key(TAG, 'AUDIT_LEASE'));
          const refused = /WRONGTYPE|Invalid stream ID|Redis refused a command: ERR/;
          for (const ask of [
            () => audit.seal(CHAIN, 'w', null),
            () => audit.link(CHAIN, 'newest'),
            () => audit.checkpoint(CHAIN),
          ]) {
            await ask().catch((error: Error) => expect(error.message).toMatch(refused));
          }
        })
        .beforeEach(restore),
      { numRuns: 200 },
    );
  }, 60_000);
});
