/** The audit log's chain on a real Redis: what it detects, what it survives, and where it ends. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Log } from '../../../shared/domain/log.ts';
import { type AuditSeals, BEGINNING, createAuditSeals } from '../../../shared/keys/signing/audit-seals.ts';
import { type AuditAnchors, openAnchors } from '../../../shared/storage/audit/audit-anchors.ts';
import { type AuditStore, createAuditStore } from '../../../shared/storage/audit/audit-store.ts';
import { anchorText, type ChainReport, parseAnchor, verifyChain } from '../../../shared/storage/audit/verify-chain.ts';
import { createCommands } from '../../../shared/storage/commands/run/run-commands.ts';
import { key } from '../../../shared/storage/redis/names.ts';
import { sealAudit } from '../../../worker/upkeep/seal-audit.ts';
import { runCommand } from '../../support/processes/command.ts';
import { TAG } from '../../support/redis/engine.ts';
import { startOwnRedis, type TestRedis } from '../../support/redis/redis.ts';
import { until } from '../../support/until.ts';
import { peppersOf, ringText } from '../../unit/keys/rings.ts';

const PEPPERS = ringText('p1');
const CHAIN = 's0';
const DAY_MS = 86_400_000;
const [ROWS, SEALS, CHECKPOINT, LEASE] = (['AUDIT', 'AUDIT_SEALS', 'AUDIT_CHECKPOINT', 'AUDIT_LEASE'] as const).map(
  (name) => key(TAG, name),
) as [string, string, string, string];

let server: TestRedis;
let redis: Redis;
let audit: AuditStore;
const seals = createAuditSeals(peppersOf(PEPPERS));
beforeAll(async () => {
  server = await startOwnRedis();
  redis = new Redis(server.url);
  audit = createAuditStore({ redis, run: createCommands(redis), shards: 1 });
});
beforeEach(() => redis.flushdb());
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

let written = 0;
const write = async (count: number, id: (index: number) => string = () => '*'): Promise<void> => {
  for (let index = 0; index < count; index++) {
    await redis.xadd(ROWS, id(index), 'row', JSON.stringify(['attempt_started', 'acme', `row ${++written}`]));
  }
};
/** Seals all that is written, as a worker's turn does, at the time of Redis or at one of the past. */
const sealAll = async (by: AuditSeals = seals, atMs?: number): Promise<void> => {
  let answer = await audit.seal(CHAIN, 'test', null);
  while (answer && answer.entries.length > 0) {
    answer = await audit.seal(CHAIN, 'test', by.seal(CHAIN, answer.newest, answer.entries, atMs ?? answer.nowMs));
  }
};
const verify = (by: AuditSeals = seals, ...anchors: string[]): Promise<ChainReport> =>
  verifyChain(
    { audit, seals: by },
    CHAIN,
    anchors.flatMap((text) => parseAnchor(text) ?? []),
  );

type Stored = [id: string, fields: string[]];
const rewrite = async (stream: string, change: (entries: Stored[]) => Stored[]): Promise<void> => {
  const entries = await redis.xrange(stream, '-', '+');
  await redis.del(stream);
  for (const [id, fields] of change(entries)) await redis.xadd(stream, id, ...fields);
};
const rowAt = (entries: Stored[], index: number): Stored => {
  const entry = entries.at(index);
  if (!entry) throw new Error(`no row ${index}`);
  return entry;
};

const command = (...args: string[]) =>
  runCommand('audit', ['verify', ...args], { REDIS_URL: server.url, KEY_PEPPERS: PEPPERS });

/** A worker's sealing, and the lines that it logs. */
const startSealer = (
  worker: string,
  { retentionMs = 90 * DAY_MS, store = audit, anchors = null as AuditAnchors | null } = {},
) => {
  const lines: { event: string; code?: string | undefined }[] = [];
  const note = (event: string, fields?: { code?: string }): void => {
    lines.push({ event, code: fields?.code });
  };
  const log: Log = { debug: note, info: note, warn: note, error: note };
  return { ...sealAudit({ audit: store, seals, anchors, worker, retentionMs, log }), lines };
};

describe('a chain of several seals', () => {
  // 10 rows, 64 and 64 and 12, 20, and 3 that nobody sealed.
  beforeEach(async () => {
    const startMs = Date.now() - 5_000;
    await write(10, (index) => `${startMs + index}-0`);
    await sealAll();
    for (const count of [140, 20]) {
      await write(count);
      await sealAll();
    }
    await write(3);
  });

  test('holds, and says how many rows it does not cover yet', async () => {
    const { code, stdout } = await command('--json');
    expect(code).toBe(0);
    const [report, registry] = JSON.parse(stdout) as ChainReport[];
    expect(report).toEqual(await verify());
    expect(report).toMatchObject({ chain: 's0', broken: null, verified_rows: 170, sealed_late: 0, unsealed_rows: 3 });
    expect(Date.parse(report?.since ?? '')).toBeLessThan(Date.parse(report?.unsealed_since ?? ''));
    expect(registry).toMatchObject({
      chain: 'registry',
      broken: null,
      verified_rows: 0,
      unsealed_rows: 0,
      anchor: null,
    });
  });

  /** What somebody with access to Redis, and without the pepper, may do to it, and what is said of it. */
  const TAMPERING: Record<string, [change: () => Promise<unknown>, found: RegExp]> = {
    'an edited row': [
      () =>
        rewrite(ROWS, (rows) =>
          rows.with(30, [rowAt(rows, 30)[0], ['row', rowAt(rows, 30)[1][1]?.replace('acme', 'beta') ?? '']]),
        ),
      /^a row or seal 2 was changed or moved after row s0:\d+-\d+, up to row s0:\d+-\d+$/,
    ],
    'a field added to a row': [
      () => rewrite(ROWS, (rows) => rows.with(0, [rowAt(rows, 0)[0], [...rowAt(rows, 0)[1], 'x', 'y']])),
      /^a row or seal 1 was changed/,
    ],
    'a row at another time': [
      () =>
        rewrite(ROWS, (rows) => [
          [`${Number.parseInt(rowAt(rows, 0)[0], 10) - 1}-0`, rowAt(rows, 0)[1]],
          ...rows.slice(1),
        ]),
      /^a row or seal 1 was changed/,
    ],
    'a deleted row': [
      async () => redis.xdel(ROWS, rowAt(await redis.xrange(ROWS, '-', '+'), 80)[0]),
      /^rows were added or removed after row .*: seal 3 covers 64$/,
    ],
    'the oldest row deleted': [async () => redis.xtrim(ROWS, 'MAXLEN', 172), /seal 1 covers 10$/],
    'two rows in each other’s place': [
      () =>
        rewrite(ROWS, (rows) =>
          rows.with(40, [rowAt(rows, 40)[0], rowAt(rows, 41)[1]]).with(41, [rowAt(rows, 41)[0], rowAt(rows, 40)[1]]),
        ),
      /^a row or seal 2 was changed/,
    ],
    'an inserted row': [
      () => rewrite(ROWS, (rows) => rows.toSpliced(5, 0, [rowAt(rows, 4)[0].replace('-0', '-1'), ['row', '[]']])),
      /^rows were added or removed after row s0:0-0, up to row .*: seal 1 covers 10$/,
    ],
    'rows inserted before the first': [
      () => rewrite(ROWS, (rows) => [['1-0', ['row', '[]']], ...rows]),
      /seal 1 covers 10$/,
    ],
    'the middle cut out, with its seals': [
      async () => {
        await rewrite(ROWS, (rows) => [...rows.slice(0, 10), ...rows.slice(150)]);
        for (const id of ['2-0', '3-0', '4-0']) await redis.xdel(SEALS, id);
      },
      /^seal 2 is missing after row/,
    ],
    'all rows but the last few cut off': [() => rewrite(ROWS, (rows) => rows.slice(-25)), /seal 1 covers 10$/],
    'the sealed end cut off, and its seals left': [
      () => rewrite(ROWS, (rows) => rows.slice(0, 120)),
      /seal 3 covers 64$/,
    ],
    'a seal over other rows': [
      () => rewrite(SEALS, (all) => all.with(1, [rowAt(all, 1)[0], rowAt(all, 1)[1].with(3, '63')])),
      /seal 2 covers 63$/,
    ],
    'a seal said to be under another pepper': [
      () => rewrite(SEALS, (all) => all.with(1, [rowAt(all, 1)[0], rowAt(all, 1)[1].with(7, 'p0')])),
      /^seal 2 was made under pepper p0, which is not in KEY_PEPPERS/,
    ],
    'a seal said to be of another time': [
      () => rewrite(SEALS, (all) => all.with(1, [rowAt(all, 1)[0], rowAt(all, 1)[1].with(5, '1')])),
      /^a row or seal 2 was changed/,
    ],
    'a seal of the same rows for another chain': [
      async () => {
        await redis.del(SEALS);
        const rows = await redis.xrange(ROWS, '-', '+');
        const seal = seals.seal('registry', BEGINNING, rows, Date.now());
        await redis.xadd(
          SEALS,
          '1-0',
          'last',
          seal.last,
          'rows',
          seal.rows,
          'sealed',
          seal.sealedMs,
          'pepper',
          seal.pepper,
          'mac',
          seal.mac,
        );
      },
      /^a row or seal 1 was changed/,
    ],
    'a genuine seal on top of another history': [
      async () => {
        const [rows, all] = [await redis.xrange(ROWS, '-', '+'), await redis.xrange(SEALS, '-', '+')];
        await redis.del(ROWS, SEALS);
        const startMs = Date.now() - 9_000;
        for (let seal = 0; seal < 4; seal++) {
          await write(1, () => `${startMs + seal}-0`);
          await sealAll();
        }
        for (const [id, fields] of rows.slice(150)) await redis.xadd(ROWS, id, ...fields);
        await redis.xadd(SEALS, '5-0', ...(all[4]?.[1] ?? []));
      },
      /^a row or seal 5 was changed/,
    ],
    'a checkpoint that nobody signed': [
      () => redis.hset(CHECKPOINT, { number: 1, last: '1-0', mac: 'x', pepper: 'p1', check: 'x' }),
      /^the checkpoint, where the chain begins, is not ours or was changed$/,
    ],
  };

  test.each(Object.entries(TAMPERING))('is found broken after %s', async (_, [change, found]) => {
    await change();
    expect((await verify()).broken).toMatch(found);
  });

  test.each([
    'an edited row',
    'a deleted row',
    'two rows in each other’s place',
    'an inserted row',
    'all rows but the last few cut off',
  ])('is found broken by the command, with exit code 1, after %s', async (name) => {
    const [change, found] = TAMPERING[name] ?? [];
    await change?.();
    const { code, stdout } = await command('--json');
    expect(code).toBe(1);
    expect((JSON.parse(stdout) as ChainReport[])[0]?.broken).toMatch(found ?? /never/);
  });

  test('that is broken is said to be so in the table too', async () => {
    await redis.xtrim(ROWS, 'MAXLEN', 100);
    const { code, stdout } = await command();
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /^chain .*\ns0 +NO .*\nregistry +yes .*\ns0 is broken: rows were added or removed after row s0:0-0, up to row s0:\S+: seal 1 covers 10\.\n$/,
    );
  });

  test('whose newest part was rewritten and sealed anew no longer holds the seal that was noted elsewhere', async () => {
    const { anchor } = await verify();
    const rewritten = Date.now() - 120_000;
    await redis.del(ROWS, SEALS);
    await write(200, (index) => `${rewritten}-${index}`);
    await sealAll();
    const report = await verify();
    // The seals are genuine. That they are late shows, and the note.
    expect(report).toMatchObject({ holds: false, flaws: [{ kind: 'late', seal: 1, row: `s0:${rewritten}-0` }] });
    expect(report.sealed_late).toBe(200);
    expect((await verify(seals, anchor ?? '')).broken).toBe('the chain ends at seal 4, before seal 5 of the anchor');
    await write(64);
    await sealAll();
    expect((await verify(seals, anchor ?? '')).broken).toBe('seal 5 is not the one of the anchor');
    expect((await command('--anchor', anchor ?? '')).code).toBe(1);
    expect((await command('--anchor', 's9:1:'.padEnd(48, 'x'))).stderr).toBe('There is no chain s9 here.\n');
    // Who notes a seal has looked at what is below it.
    expect(await verify(seals, report.anchor ?? '')).toMatchObject({ holds: true, sealed_late: 0 });
  });

  test('holds across a change of the pepper for as long as the old one is listed', async () => {
    const rotated = createAuditSeals(peppersOf(`${ringText('p2')},${PEPPERS}`));
    await sealAll(rotated);
    expect(await verify(rotated)).toMatchObject({ broken: null, verified_rows: 173 });
    expect((await verify(createAuditSeals(peppersOf(ringText('p3'))))).broken).toMatch(
      /^seal 1 was made under pepper p1, which/,
    );
  });
});

describe('sealing', () => {
  test('is done by a worker within seconds, however many there are', async () => {
    const sealers = [startSealer('one'), startSealer('two')];
    await write(300);
    await until('all is sealed', async () => (await verify()).verified_rows === 300);
    await Promise.all(sealers.map(({ stop }) => stop()));
    expect(await verify()).toMatchObject({ broken: null, verified_rows: 300, unsealed_rows: 0, sealed_late: 0 });
  });

  test('goes on where a worker died half way, and what that one still sends is dropped', async () => {
    await write(100);
    const first = await audit.seal(CHAIN, 'dead', null);
    if (!first) throw new Error('nobody else is there');
    const half = seals.seal(CHAIN, first.newest, first.entries, first.nowMs);
    const second = await audit.seal(CHAIN, 'dead', half);
    if (!second) throw new Error('the lease is held');
    // It dies before it sends this one.
    const late = seals.seal(CHAIN, second.newest, second.entries, second.nowMs);
    expect(await audit.seal(CHAIN, 'heir', null)).toBeNull();

    const heir = startSealer('heir');
    await write(50);
    await until('the heir has sealed the rest', async () => (await verify()).verified_rows === 150);
    await heir.stop();
    const before = await redis.xrange(SEALS, '-', '+');
    await redis.del(LEASE);
    await audit.seal(CHAIN, 'dead', late);
    await audit.seal(CHAIN, 'dead', half);
    expect(await redis.xrange(SEALS, '-', '+')).toEqual(before);
    expect(await verify()).toMatchObject({ broken: null, verified_rows: 150 });
  });

  test('by two workers that both think they hold the lease never forks the chain', async () => {
    const sealer = async (worker: string): Promise<void> => {
      let seal = null;
      for (let turn = 0; turn < 60; turn++) {
        await write(Math.floor(Math.random() * 9));
        // Each takes the lease from the other before every call.
        await redis.del(LEASE);
        const answer = await audit.seal(CHAIN, worker, seal);
        seal =
          answer && answer.entries.length > 0 ? seals.seal(CHAIN, answer.newest, answer.entries, answer.nowMs) : null;
      }
    };
    await Promise.all([sealer('one'), sealer('two'), sealer('three')]);
    await redis.del(LEASE);
    await sealAll();
    const numbers = (await redis.xrange(SEALS, '-', '+')).map(([id]) => id);
    expect(numbers).toEqual(numbers.map((_, index) => `${index + 1}-0`));
    expect(await verify()).toMatchObject({ broken: null, unsealed_rows: 0, verified_rows: await redis.xlen(ROWS) });
  });

  describe('goes no further on a log that is older than the worker or the file knows, and says so:', () => {
    const went = (sealer: ReturnType<typeof startSealer>) =>
      until('the log says so', () => sealer.lines.some(({ event }) => event === 'audit_went_back'));
    const changed = (): Promise<void> =>
      rewrite(ROWS, (rows) => rows.with(0, [rowAt(rows, 0)[0], ['row', '["key_revoked","beta"]']]));

    test('seals deleted and a row changed, under the worker that sealed', async () => {
      await write(10);
      const sealer = startSealer('one');
      await until('it is sealed', async () => (await verify()).verified_rows === 10);
      const { anchor } = await verify();
      await redis.del(SEALS);
      await changed();
      await write(3);
      await went(sealer);
      await sealer.stop();
      expect(await redis.exists(SEALS)).toBe(0);
      expect(await verify(seals, anchor ?? '')).toMatchObject({ holds: false, flaws: [{ kind: 'anchor', seal: 1 }] });
      expect((await command('--anchor', anchor ?? '')).code).toBe(1);
    });

    test('under a worker that only watched another one seal, also when the chain is longer than before', async () => {
      await write(10);
      const [leader, watcher] = [startSealer('leader'), startSealer('watcher')];
      await until('it is sealed', async () => (await verify()).verified_rows === 10);
      await until('the other one has seen it', async () => (await redis.get(LEASE)) !== null);
      await new Promise((resolve) => setTimeout(resolve, 1_200));
      await leader.stop();
      // A stranger without a memory seals what was put in its place.
      await redis.del(SEALS, LEASE);
      await changed();
      await sealAll();
      await write(3);
      await sealAll();
      await redis.del(LEASE);
      await went(watcher);
      await watcher.stop();
      expect(await redis.xlen(SEALS)).toBe(2);
    });

    test('after a restart, by what the file holds, and no other process forgets it', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'gateway-anchors-'));
      const path = join(folder, 'anchors');
      const first = startSealer('one', { anchors: openAnchors(path) });
      await write(10);
      await until('the file knows', async () => /^s0:1:/m.test(await readFile(path, 'utf8').catch(() => '')));
      await first.stop();
      const kept = await readFile(path, 'utf8');
      await redis.del(SEALS, LEASE);
      await changed();
      const second = startSealer('two', { anchors: openAnchors(path) });
      await went(second);
      await second.stop();
      expect(await redis.exists(SEALS)).toBe(0);
      expect(await readFile(path, 'utf8')).toBe(kept);
      const { code, stdout } = await runCommand('audit', ['verify'], {
        REDIS_URL: server.url,
        KEY_PEPPERS: PEPPERS,
        AUDIT_ANCHOR_FILE: path,
      });
      expect([code, stdout]).toEqual([
        1,
        expect.stringMatching(/s0 is broken: the chain ends at seal 0, before seal 1 of the/),
      ]);

      // Only the operator can make it begin anew, outside Redis.
      await rm(path);
      await redis.del(ROWS, LEASE);
      const third = startSealer('three', { anchors: openAnchors(path) });
      await write(2);
      await until('it is sealed', async () => (await verify()).verified_rows === 2);
      await third.stop();
      await rm(folder, { recursive: true });
    });

    test('of a file that holds something else nobody starts', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'gateway-anchors-'));
      const path = join(folder, 'anchors');
      await writeFile(path, 's0:1:short\n');
      expect(() => openAnchors(path)).toThrow(/AUDIT_ANCHOR_FILE holds a line that is no anchor/);
      expect(() => openAnchors(folder)).toThrow(/AUDIT_ANCHOR_FILE names a file that cannot be read \(EISDIR\)/);
      await rm(folder, { recursive: true });
    });

    test.each<[string, () => Promise<unknown>]>([
      ['an entry that is no seal', () => redis.xadd(SEALS, '999-0', 'x', 'y')],
      [
        'a seal that nobody signed',
        () => redis.xadd(SEALS, '2-0', 'last', `${Date.now()}-0`, 'rows', 0, 'sealed', 1, 'pepper', 'p1', 'mac', 'x'),
      ],
    ])('and on none that ends in %s', async (_, forge) => {
      await write(10);
      await sealAll();
      await redis.del(LEASE);
      await forge();
      const before = await redis.xrange(SEALS, '-', '+');
      const sealer = startSealer('one');
      await write(3);
      await until('the log says so', () => sealer.lines.length > 0);
      await sealer.stop();
      expect(sealer.lines[0]?.event).toMatch(/^audit_(?:broken|not_sealed)$/);
      expect(await redis.xrange(SEALS, '-', '+')).toEqual(before);
    });
  });
});

describe('rows past their retention', () => {
  const OLD_MS = Date.now() - 10 * DAY_MS;
  /** 200 old rows in 4 seals, 70 new ones in 2. */
  const age = async (): Promise<void> => {
    await write(200, (index) => `${OLD_MS}-${index}`);
    await sealAll(seals, OLD_MS + 1_000);
    await write(70);
    await sealAll();
    await redis.del(LEASE);
  };
  const forget = async (retentionMs = 9 * DAY_MS) => {
    const sealer = startSealer('keeper', { retentionMs });
    await until('a turn is over', () => sealer.lines.length > 0);
    await sealer.stop();
    await redis.del(LEASE);
    return sealer.lines;
  };

  test('are forgotten with their seals, and the chain holds from the checkpoint on, now and after more', async () => {
    await age();
    await forget();
    expect([await redis.xlen(ROWS), await redis.xlen(SEALS)]).toEqual([70, 2]);
    expect(await verify()).toMatchObject({ broken: null, verified_rows: 70 });
    await forget(0);
    expect(await redis.xlen(ROWS)).toBe(0);
    await write(5);
    await sealAll();
    const report = await verify();
    expect(report).toMatchObject({ broken: null, verified_rows: 5 });
    expect(report.anchor).toMatch(/^s0:7:/);
    expect(parseAnchor(report.anchor ?? '')).not.toBeNull();
  });

  test('do not let anybody cut off more: neither rows, nor seals, nor with a checkpoint of before or of their own', async () => {
    await age();
    const whole = await redis.hgetall(CHECKPOINT);
    expect(whole).toEqual({});
    await forget();
    const genuine = await redis.hgetall(CHECKPOINT);
    const [first] = await redis.xrange(ROWS, '-', '+', 'COUNT', 1);

    await redis.del(CHECKPOINT);
    expect((await verify()).broken).toMatch(/^seal 1 is missing/);
    await redis.hset(CHECKPOINT, {
      ...genuine,
      number: '5',
      last: (await redis.xrange(SEALS, '-', '+'))[0]?.[1][1] ?? '',
    });
    expect((await verify()).broken).toMatch(/^the checkpoint/);
    await redis.hset(CHECKPOINT, { mac: (await redis.xrange(SEALS, '-', '+'))[0]?.[1][9] ?? '' });
    expect(await forget(0)).toContainEqual({ event: 'audit_broken', code: 'checkpoint' });
    expect((await verify()).broken).toMatch(/^the checkpoint/);
    await redis.hset(CHECKPOINT, genuine);
    expect((await verify()).broken).toBeNull();
    await rewrite(ROWS, (rows) => [['1-0', ['row', '[]']], ...rows]);
    expect((await verify()).broken).toBe('row s0:1-0 stands before the beginning of the chain');
    await redis.xdel(ROWS, '1-0');
    expect((await verify()).broken).toBeNull();
    await redis.xdel(ROWS, first?.[0] ?? '');
    expect((await verify()).broken).toMatch(/seal 5 covers 64$/);
    await redis.xtrim(SEALS, 'MAXLEN', 1);
    expect((await verify()).broken).toMatch(/^seal 5 is missing/);
  });

  test('stay while something before them is broken, and the worker says so', async () => {
    await age();
    await redis.xdel(ROWS, `${OLD_MS}-100`);
    const lines = await forget();
    expect(lines).toContainEqual({ event: 'audit_broken', code: 'rows' });
    expect((await verify()).broken).toMatch(/^rows were added or removed.*seal 2 covers 64$/);
  });

  test('leave a checkpoint that is signed again under a new pepper, also when nothing more is forgotten', async () => {
    await age();
    await forget(0);
    const rotatedRing = `${ringText('p2')}`;
    const both = createAuditSeals(peppersOf(`${rotatedRing},${PEPPERS}`));
    const sealer = sealAudit({ audit, seals: both, anchors: null, worker: 'keeper', retentionMs: DAY_MS, log: quiet });
    const signedAnew = async () => (await redis.hget(CHECKPOINT, 'pepper')) === 'p2';
    await until('it is signed again', signedAnew);
    await sealer.stop();
    expect(await verify(createAuditSeals(peppersOf(rotatedRing)))).toMatchObject({ broken: null });
  });
});

const quiet: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

test('an anchor is read as it is printed', () => {
  const seal = { number: 12, last: '1-0', mac: 'x'.repeat(43) };
  expect(parseAnchor(anchorText('s0', seal))).toEqual({ chain: 's0', number: 12, mac: seal.mac });
  for (const text of ['', 's0:12', `s0:x:${seal.mac}`, `${anchorText('s0', seal)}x`])
    expect(parseAnchor(text)).toBeNull();
});
