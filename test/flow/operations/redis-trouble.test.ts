import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import type { TenantId } from '../../../shared/domain/ids.ts';
import type { Job } from '../../../shared/domain/jobs/schema.ts';
import { key, shardTag } from '../../../shared/storage/redis/names.ts';
import { shardOf } from '../../../shared/storage/redis/shards.ts';
import { ADMIN_TOKEN } from '../../support/clients/operator.ts';
import { outcomes } from '../../support/invariants/job-facts.ts';
import { openConnection, request } from '../../support/network/raw.ts';
import { type Answer, KEYS, startGateway, type TestApi, type TestGateway } from '../../support/processes/gateway.ts';
import { type GatewayProcess, startProcess } from '../../support/processes/process.ts';
import { withGateway, withProxiedGateway } from '../../support/processes/with-gateway.ts';
import { withRedis } from '../../support/redis/redis.ts';
import { isClaim, isSettle } from '../../support/redis/worker-commands.ts';
import { until } from '../../support/until.ts';

/** The promise: without Redis a request is refused this soon. */
const REFUSED_WITHIN_MS = 2_000;
/** Of a machine that does other things as well. */
const SLACK_MS = 1_000;

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;

type Attempt = { status: number; code: string | null; jobId: string | null; retryAfter: string | null; tookMs: number };

/** Sends one request and says what came of it and when; a request that hangs fails the test. */
const attempt = async (gateway: TestGateway, text: string): Promise<Attempt> => {
  const startedMs = performance.now();
  const { status, headers, body } = await Promise.race<Answer>([
    gateway.call('POST', '/v1/complete', { body: { messages: [{ role: 'user', content: text }] } }),
    delay(10_000).then(() => Promise.reject(new Error('a request hangs'))),
  ]);
  const tookMs = performance.now() - startedMs;
  const { id, error } = body as { id?: string; error?: { code: string; job_id?: string } };
  return {
    status,
    code: error?.code ?? null,
    jobId: id ?? error?.job_id ?? null,
    retryAfter: headers.get('Retry-After'),
    tookMs,
  };
};

/** Submits until `stop`, from several clients at once. */
const startLoad = (gateway: TestGateway, clients: number) => {
  const attempts: Attempt[] = [];
  let stopped = false;
  const running = Array.from({ length: clients }, async (_, client) => {
    for (let count = 0; !stopped; count++) {
      attempts.push(await attempt(gateway, `load ${client}-${count}. sandbox:delay=100`));
      // The pace of a client, so that the load stays about the same on every machine.
      await delay(30);
    }
  });
  return {
    attempts,
    stop: async () => {
      stopped = true;
      await Promise.all(running);
    },
  };
};

/** Every accepted job completes, and one whose acceptance was uncertain completes or was never there. */
const expectAllSettled = async (gateway: TestGateway, attempts: readonly Attempt[]): Promise<void> => {
  await Promise.all(
    attempts.map(async ({ status, jobId }) => {
      if (jobId === null) return;
      if (status !== 202 && (await gateway.call('GET', `/v1/jobs/${jobId}`)).status === 410) return;
      expect(await gateway.finished(jobId)).toMatchObject({ status: 'completed' });
    }),
  );
};

const expectRefusedInTime = (attempts: readonly Attempt[]): void => {
  for (const each of attempts) {
    expect(each).toMatchObject({ status: 503, code: 'queue_unavailable', retryAfter: expect.stringMatching(/^\d+$/) });
    expect(each.tookMs).toBeLessThan(REFUSED_WITHIN_MS + SLACK_MS);
  }
};

const expectAlive = async (...processes: (GatewayProcess | undefined)[]): Promise<void> => {
  for (const process of processes) {
    expect(await Promise.race([process?.exited, delay(0).then(() => 'alive')])).toBe('alive');
  }
};

const answers = (api: TestApi | undefined, path: string): Promise<number> =>
  fetch(`${api?.url}${path}`).then(({ status }) => status);

const untilReady = ({ apis: [api] }: TestGateway): Promise<boolean> =>
  until('the API is ready', async () => (await answers(api, '/readyz')) === 200, { withinMs: 20_000 });

describe.concurrent('Redis goes away', { timeout: 90_000 }, () => {
  test.concurrent('killed under load and restarted: 503 in time while it is away, nothing accepted is lost, and all goes on by itself', async ({
    annotate,
  }) => {
    await withGateway({}, async (gateway) => {
      const load = startLoad(gateway, 8);
      await until('jobs flow', () => load.attempts.length > 100);
      await gateway.redis.kill();
      const before = load.attempts.length;
      await until('requests are refused', () => load.attempts.length > before + 50);
      expect(await answers(gateway.apis[0], '/healthz')).toBe(200);
      expect(await answers(gateway.apis[0], '/readyz')).toBe(503);
      await gateway.redis.restart();
      const restartedMs = performance.now();
      const refused = load.attempts.length;
      await until('requests are accepted again', () =>
        load.attempts.slice(refused).some(({ status }) => status === 202),
      );
      await annotate(`accepted again ${seconds(performance.now() - restartedMs)} after the restart`);
      await load.stop();

      const accepted = load.attempts.filter(({ status }) => status === 202);
      const others = load.attempts.filter(({ status }) => status !== 202);
      expectRefusedInTime(others);
      expect(others.filter(({ jobId }) => jobId === null)).toEqual([]);
      await expectAllSettled(gateway, load.attempts);
      await annotate(
        `${accepted.length} accepted, ${others.length} refused within ${seconds(Math.max(...others.map(({ tookMs }) => tookMs)))}, all final ${seconds(performance.now() - restartedMs)} after the restart`,
      );
      await expectAlive(...gateway.apis, ...gateway.workers);
    });
  });

  test.concurrent('for longer than the lock while calls run: what ended meanwhile is settled once, what still runs is called again', async ({
    annotate,
  }) => {
    await withGateway({}, async (gateway) => {
      const ended = await gateway.submit('ends meanwhile. sandbox:delay=2000');
      const outlasting = await gateway.submit('outlasts it. sandbox:fail=hang times=1');
      await until('both calls run', () => gateway.sandbox.calls.length === 2);
      // With `everysec` Redis answers before it writes while an fsync is slow: what it has not written, a kill takes away.
      await withRedis(gateway.redis.url, (redis) =>
        until('all is written', async () => /^aof_buffer_length:0\r$/m.test(await redis.info('persistence'))),
      );
      await gateway.redis.kill();
      // The lock of 10 s, a renewal just before the kill at most, and a margin.
      await delay(12_000);
      await gateway.redis.restart();
      const restartedMs = performance.now();

      await untilReady(gateway);
      const settled = await gateway.finished(ended.id);
      await annotate(`settled ${seconds(performance.now() - restartedMs)} after the restart`);
      expect(outcomes(settled)).toEqual(['completed']);
      expect(settled.billed_usage).toEqual(settled.usage);
      const again = await gateway.finished(outlasting.id);
      expect(again.status).toBe('completed');
      expect(outcomes(again)).toEqual(['unknown', 'completed']);
      expect(again.billed_usage).toEqual(again.usage);
      // The worker is told that the call is no longer its own, at the latest by its heartbeat.
      await expect
        .poll(() => gateway.callsWith('outlasts').map(({ aborted }) => aborted), { timeout: 5_000 })
        .toEqual([true, false]);
      await expectAlive(...gateway.apis, ...gateway.workers);
    });
  });

  test.concurrent('before API and worker start: they start, say that they are not ready, and begin by themselves', async ({
    annotate,
  }) => {
    await withGateway({ apis: 0, workers: 0 }, async (gateway) => {
      await gateway.redis.kill();
      const worker = gateway.addWorker();
      const api = await gateway.addApi();
      expect(await answers(api, '/healthz')).toBe(200);
      expect(await answers(api, '/readyz')).toBe(503);
      expectRefusedInTime([await attempt(gateway, 'too early')]);
      await until('both say what they wait for', () => api.log.some(({ msg }) => msg === 'redis_away'));
      await until('both say what they wait for', () =>
        gateway.workers[0]?.log.some(
          ({ msg, reason }) => msg === 'redis_awaited' && reason === 'Redis does not answer',
        ),
      );
      await gateway.redis.restart();
      const restartedMs = performance.now();
      await untilReady(gateway);
      const { id } = await gateway.submit('in time');
      expect(await gateway.finished(id)).toMatchObject({ status: 'completed' });
      await annotate(`the first job was final ${seconds(performance.now() - restartedMs)} after Redis came`);
      await expectAlive(api, await worker);
    });
  });
});

describe.concurrent('Redis is slow or half there', { timeout: 90_000 }, () => {
  test.concurrent('frozen: requests are refused in time, and what they left behind becomes final when it goes on', async ({
    annotate,
  }) => {
    await withGateway({}, async (gateway) => {
      const running = await gateway.submit('runs through. sandbox:delay=1000');
      await until('the call runs', () => gateway.sandbox.calls.length === 1);
      gateway.redis.signal('SIGSTOP');
      const refused = await Promise.all(Array.from({ length: 10 }, (_, index) => attempt(gateway, `frozen ${index}`)));
      expectRefusedInTime(refused);
      expect(refused.filter(({ jobId }) => jobId === null)).toEqual([]);
      const startedMs = performance.now();
      expect((await gateway.call('GET', `/v1/jobs/${running.id}`)).status).toBe(503);
      expect((await gateway.call('GET', '/v1/usage')).status).toBe(503);
      expect(await answers(gateway.apis[0], '/readyz')).toBe(503);
      expect(await answers(gateway.apis[0], '/healthz')).toBe(200);
      expect(performance.now() - startedMs).toBeLessThan(3 * REFUSED_WITHIN_MS + SLACK_MS);
      gateway.redis.signal('SIGCONT');
      const continuedMs = performance.now();

      const later = await until('requests are accepted again', async () => {
        const next = await attempt(gateway, 'thawed');
        return next.status === 202 ? next : null;
      });
      await annotate(
        `refused within ${seconds(Math.max(...refused.map(({ tookMs }) => tookMs)))}, accepted again after ${seconds(performance.now() - continuedMs)}`,
      );
      await expectAllSettled(gateway, [...refused, later]);
      expect(outcomes(await gateway.finished(running.id))).toEqual(['completed']);
      await expectAlive(...gateway.apis, ...gateway.workers);
    });
  });

  test.concurrent('200 ms away in each direction: everything works, only slower', async ({ annotate }) => {
    await withProxiedGateway({ apis: 0, workers: 0 }, async (gateway, proxy) => {
      proxy.setDelay(200);
      await Promise.all([gateway.addWorker(), gateway.addApi()]);
      await untilReady(gateway);
      const startedMs = performance.now();
      const attempts = await Promise.all(Array.from({ length: 20 }, (_, index) => attempt(gateway, `slow ${index}`)));
      expect(attempts.filter(({ status }) => status !== 202)).toEqual([]);
      await expectAllSettled(gateway, attempts);
      await annotate(`20 jobs final after ${seconds(performance.now() - startedMs)}`);
      expect(gateway.sandbox.calls).toHaveLength(20);
    });
  });

  test.concurrent('connections that died without a sign are given up and replaced, those for news as well', async ({
    annotate,
  }) => {
    await withProxiedGateway({}, async (gateway, proxy) => {
      expect(await gateway.finished((await gateway.submit('before')).id)).toMatchObject({ status: 'completed' });
      const dead = [...proxy.connections];
      for (const connection of dead) connection.freeze();
      const frozenMs = performance.now();
      const refused: Attempt[] = [];
      const accepted = await until(
        'requests are accepted again',
        async () => {
          const next = await attempt(gateway, 'after');
          if (next.status !== 202) refused.push(next);
          return next.status === 202 ? next : null;
        },
        { withinMs: 20_000 },
      );
      expectRefusedInTime(refused);
      await annotate(`accepted again after ${seconds(performance.now() - frozenMs)}`);
      expect(await gateway.finished(accepted.jobId ?? '')).toMatchObject({ status: 'completed' });
      await annotate(`completed after ${seconds(performance.now() - frozenMs)}`);
      const listens = (connection: (typeof dead)[number]): boolean => /\r\nsubscribe\r\n/.test(connection.sent());
      const listeners = dead.filter(listens).length;
      expect(listeners).toBeGreaterThan(0);
      await until(
        'news are listened to on new connections',
        () => proxy.connections.filter((each) => !dead.includes(each) && listens(each)).length === listeners,
        { withinMs: 20_000 },
      );
      await annotate(`news again after ${seconds(performance.now() - frozenMs)}`);
      await expectAlive(...gateway.apis, ...gateway.workers);
    });
  });

  test.concurrent('an answer that is lost on its way never makes a job run twice, nor count twice', async () => {
    await withProxiedGateway({}, async (gateway, proxy) => {
      // Before, so that Redis knows the scripts: the first of each is sent twice, and is harmless to lose.
      expect(await gateway.finished((await gateway.submit('before')).id)).toMatchObject({ status: 'completed' });

      const lost: string[] = [];
      // Lets the first command of each kind through, and cuts its connection before the answer.
      proxy.judge((bytes, connection) => {
        const kind = isClaim(bytes)
          ? 'claim'
          : isSettle(bytes)
            ? 'settle'
            : bytes.includes('answers are lost') && 'submit';
        if (!kind || lost.includes(kind)) return 'pass';
        lost.push(kind);
        // Redis has run it and answered, to nobody.
        setTimeout(() => connection.cut({ reset: true }), 100);
        return 'deafen';
      });
      const { id } = await gateway.submit('answers are lost');
      await until('the worker has its second answer', () =>
        gateway.workers[0]?.log.some(({ msg, job_id }) => msg === 'attempt_settled' && job_id === id),
      );
      const job = await gateway.read(id);
      expect(lost.toSorted()).toEqual(['claim', 'settle', 'submit']);
      expect(outcomes(job)).toEqual(['completed']);
      expect(job.billed_usage).toEqual(job.usage);
      expect(gateway.callsWith('answers are lost')).toHaveLength(1);
      const { body } = await gateway.call('GET', '/v1/usage');
      expect(body).toMatchObject({ totals: { requests: 2 } });
    });
  });

  test.concurrent('without the scripts it knew: they are sent again, and no job notices', async ({ annotate }) => {
    await withGateway({}, async (gateway) => {
      const startedMs = performance.now();
      await withRedis(gateway.redis.url, async (redis) => {
        const jobs: Job[] = [];
        for (let count = 0; count < 30; count++) {
          await redis.script('FLUSH');
          jobs.push(await gateway.submit(`flushed ${count}`));
        }
        for (const { id } of jobs) expect(outcomes(await gateway.finished(id))).toEqual(['completed']);
      });
      await annotate(`30 jobs final after ${seconds(performance.now() - startedMs)}`);
      expect(gateway.sandbox.calls).toHaveLength(30);
    });
  });
});

describe.concurrent('Redis runs full', { timeout: 60_000 }, () => {
  test.concurrent('at three quarters of its memory new work is refused while waiting jobs still finish, and is taken again below', async () => {
    await withGateway({ env: { WORKER_CONCURRENCY: '1' } }, async (gateway) => {
      await withRedis(gateway.redis.url, async (redis) => {
        const waiting = await Promise.all(
          Array.from({ length: 8 }, (_, index) => attempt(gateway, `waits ${index} sandbox:delay=400`)),
        );
        await redis.setrange('filling', 48_000_000, 'x');
        await redis.config('SET', 'maxmemory', '60mb');
        const refused = await until('new work is refused', async () => {
          const next = await attempt(gateway, 'one more');
          if (next.status === 202) waiting.push(next);
          return next.status === 202 ? null : next;
        });
        expect(refused).toMatchObject({ status: 503, code: 'overloaded', jobId: null, retryAfter: '10' });
        await expectAllSettled(gateway, waiting);
        expect(await attempt(gateway, 'one more')).toMatchObject({ status: 503, code: 'overloaded' });

        await redis.del('filling');
        await until('new work is taken again', async () => (await attempt(gateway, 'room again')).status === 202);
      });
    });
  });

  test.concurrent('every path that brings something to store is closed at three quarters, an upload under way too; cancel, deletion and reading are open', async () => {
    await withGateway({ env: { MAX_ATTEMPTS: '1' } }, async (gateway) => {
      const lines = `${JSON.stringify({ custom_id: 'a', body: { messages: [{ role: 'user', content: 'sandbox:status=400' }] } })}\n`;
      const ndjson = { 'Content-Type': 'application/x-ndjson' };
      const { body } = await gateway.call('POST', '/v1/batches', { body: lines, headers: ndjson });
      const { id } = body as { id: string };
      const job = await gateway.submit('to be deleted');
      await gateway.finished(job.id);
      await until('the batch has failed', async () => {
        const batch = await gateway.call('GET', `/v1/batches/${id}`);
        return (batch.body as { status: string }).status === 'failed';
      });
      const upload = openConnection(gateway.apis[0]?.url ?? '');
      const headers = [`X-API-Key: ${KEYS.beta}`, 'Content-Type: application/x-ndjson', 'Content-Length: 9000000'];
      upload.send(request('POST /v1/batches', headers));

      await withRedis(gateway.redis.url, async (redis) => {
        await redis.setrange('filling', 48_000_000, 'x');
        await redis.config('SET', 'maxmemory', '60mb');
        await until('new work is refused', async () => (await attempt(gateway, 'one more')).status === 503);
        for (const [path, sent] of [
          ['/v1/complete', { messages: [{ role: 'user', content: 'hi' }] }],
          ['/v1/batches', lines],
          [`/v1/batches/${id}/retry`, undefined],
          ['/v1/webhooks/test', { url: 'https://example.com/' }],
          ['/v1/webhooks/secret/rotate', {}],
        ] as const) {
          const answer = await gateway.call('POST', path, {
            body: sent,
            ...(sent === lines ? { headers: ndjson } : {}),
          });
          expect([path, answer.status, answer.body]).toMatchObject([path, 503, { error: { code: 'overloaded' } }]);
        }
        upload.send(lines);
        expect(await upload.answer()).toMatchObject({ status: 503, body: { error: { code: 'overloaded' } } });
        upload.close();

        expect((await gateway.call('GET', `/v1/batches/${id}/results`)).status).toBe(200);
        expect((await gateway.call('DELETE', `/v1/jobs/${job.id}`)).status).toBe(204);
        await redis.del('filling');
      });
    });
  });

  test.concurrent('to the last byte: a finished call is kept until its result can be written, and is not made again', async () => {
    await withProxiedGateway({}, async (gateway, proxy) => {
      await gateway.finished((await gateway.submit('before')).id);
      let settlements = 0;
      proxy.judge((bytes) => {
        if (isSettle(bytes)) settlements += 1;
        return 'pass';
      });
      const { id } = await gateway.submit('no room for the result sandbox:delay=500');
      await until('the call runs', () => gateway.callsWith('no room').length === 1);
      await withRedis(gateway.redis.url, (redis) => redis.config('SET', 'maxmemory', '1mb'));
      await until('its settlement was refused and offered again', () => settlements >= 2);
      await withRedis(gateway.redis.url, (redis) => redis.config('SET', 'maxmemory', '0'));
      expect(outcomes(await gateway.finished(id))).toEqual(['completed']);
      expect(gateway.callsWith('no room')).toHaveLength(1);
    });
  });
});

describe.concurrent('a finished call is written once whatever Redis says meanwhile', { timeout: 60_000 }, () => {
  const states = {
    'a user that may run no script': {
      enter: (redis) => redis.call('ACL', 'SETUSER', 'default', '-fcall', '-evalsha', '-eval'),
      leave: (redis) => redis.call('ACL', 'SETUSER', 'default', '+fcall', '+evalsha', '+eval'),
    },
    'too few replicas': {
      enter: (redis) => redis.config('SET', 'min-replicas-to-write', '1'),
      leave: (redis) => redis.config('SET', 'min-replicas-to-write', '0'),
    },
    'a replica': {
      enter: (redis) => redis.replicaof('127.0.0.1', 1),
      leave: (redis) => redis.replicaof('NO', 'ONE'),
    },
  } satisfies Record<string, Record<'enter' | 'leave', (redis: Redis) => Promise<unknown>>>;

  test.concurrent.for(Object.entries(states))('%s', async ([, { enter, leave }]) => {
    await withGateway({}, async (gateway) => {
      await gateway.finished((await gateway.submit('before')).id);
      const { id } = await gateway.submit('paid once sandbox:delay=500');
      await until('the call runs', () => gateway.callsWith('paid once').length === 1);
      await withRedis(gateway.redis.url, async (redis) => {
        await enter(redis);
        const refused = await attempt(gateway, 'meanwhile');
        expect(refused).toMatchObject({ status: 503, code: 'queue_unavailable' });
        await delay(2_000);
        await leave(redis);
      });
      await untilReady(gateway);
      expect(outcomes(await gateway.finished(id))).toEqual(['completed']);
      expect(gateway.callsWith('paid once')).toHaveLength(1);
      await expectAlive(...gateway.apis, ...gateway.workers);
    });
  });

  test.concurrent('a settlement that Redis refuses for good ends the job where all can see it, without a second call', async () => {
    // No invariants: the ledger is broken on purpose.
    const gateway = await startGateway({ sandbox: { record: { limit: 100, keys: 'clear' } } });
    try {
      const { id } = await gateway.submit('refused for good sandbox:delay=500');
      await until('the call runs', () => gateway.callsWith('refused for good').length === 1);
      const day = new Date().toISOString().slice(0, 10);
      await withRedis(gateway.redis.url, async (redis) => {
        const ledger = key(shardTag(0), 'USAGE', `acme:${day}`);
        await redis.del(ledger);
        await redis.set(ledger, 'no hash');
        const refused = await until('the refusal is logged', () =>
          gateway.workers[0]?.log.find(({ msg }) => msg === 'settle_refused'),
        );
        expect(refused).toMatchObject({
          job_id: id,
          shard: 0,
          code: 'RedisRefused',
          reason: expect.stringContaining('WRONGTYPE'),
        });
        await redis.del(ledger);
      });
      expect((await gateway.finished(id)).error).toMatchObject({ code: 'internal_error' });
      expect(gateway.callsWith('refused for good')).toHaveLength(1);
    } finally {
      await gateway.stop();
    }
  });
});

describe.concurrent('a shard whose upkeep fails', { timeout: 60_000 }, () => {
  test.concurrent('stops neither the other shard’s, nor the figures of it, and each line of the log names it', async () => {
    const gateway = await startGateway({ apis: 0, workers: 0, env: { SHARDS: '2', ADMIN_TOKEN } });
    try {
      await withRedis(gateway.redis.url, async (redis) => {
        await gateway.addWorker();
        const api = await gateway.addApi();
        await untilReady(gateway);
        const broken = shardOf('acme' as TenantId, 2);
        for (const name of ['SCHEDULER', 'DEADLINES', 'WORKERS'] as const) {
          const at = key(shardTag(broken), name);
          await redis.del(at);
          await redis.set(at, 'broken');
        }
        const tenant = (['beta', 'gamma'] as const).find((name) => shardOf(name as TenantId, 2) !== broken);
        if (!tenant) throw new Error('every tenant of the tests is on one shard');
        const job = await gateway.submit('on the other shard sandbox:fail=reset times=1', { key: KEYS[tenant] });
        expect(await gateway.finished(job.id, { key: KEYS[tenant] })).toMatchObject({
          status: 'completed',
          error: null,
        });
        const complaints = await until('the log tells', () => {
          const lines = gateway.workers[0]?.log.filter(({ msg }) => /^(heartbeat|upkeep)_failed$/.test(msg)) ?? [];
          return lines.length > 3 && lines;
        });
        expect(new Set(complaints.map(({ shard }) => shard))).toEqual(new Set([broken]));
        const admin = { headers: { authorization: `Bearer ${ADMIN_TOKEN}` } };
        const queues = await (await fetch(`${api.url}/admin/queues`, admin)).json();
        const unfinished = broken === 0 ? [null, 0] : [0, null];
        expect(queues).toMatchObject({ data: unfinished.map((count) => ({ unfinished: count })) });
        const metrics = await (await fetch(`${api.url}/metrics`)).text();
        expect(metrics).toContain(`gateway_queue_shard_answers{shard="${broken}",process="api"} 0`);
        expect(metrics).toContain(`gateway_queue_shard_answers{shard="${1 - broken}",process="api"} 1`);
      });
    } finally {
      await gateway.stop();
    }
  });
});

describe.concurrent('a Redis that becomes unfit while the gateway runs', { timeout: 60_000 }, () => {
  test.concurrent('gets no new work and is said to be unfit, what is queued is worked off, and all goes on when it is fit again', async () => {
    await withGateway({}, async (gateway) => {
      const { id } = await gateway.submit('was there before sandbox:delay=1500');
      await withRedis(gateway.redis.url, async (redis) => {
        await redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
        const said = await until('the API says so', () =>
          gateway.apis[0]?.log.find(({ msg }) => msg === 'redis_unfit'),
        );
        expect(said.reason).toMatch(/maxmemory-policy allkeys-lru/);
        expect(await answers(gateway.apis[0], '/readyz')).toBe(503);
        expect(await attempt(gateway, 'new')).toMatchObject({ status: 503, code: 'queue_unavailable', jobId: null });
        expect(await gateway.finished(id)).toMatchObject({ status: 'completed' });
        await redis.config('SET', 'maxmemory-policy', 'noeviction');
        await untilReady(gateway);
      });
      await gateway.finished((await gateway.submit('again')).id);
    });
  });
});

describe.concurrent('a Redis that the gateway must not run on', { timeout: 60_000 }, () => {
  const both = ['api/main.ts', 'worker/main.ts'] as const;

  const expectRefusal = async (env: Record<string, string>, message: RegExp): Promise<void> => {
    for (const process of both.map((file) => startProcess(file, env))) {
      expect(await process.exited).toEqual({ code: 1, signal: null });
      expect(process.otherOutput.join('\n')).toMatch(message);
    }
  };

  test.concurrent('because it may drop jobs, holds the data of another number of shards or of the sandbox, or lacks the database, ends both processes with 1 and says what to do', async () => {
    await withGateway({ apis: 1, workers: 1 }, async ({ env, redis: { url } }) => {
      await withRedis(url, (redis) => redis.config('SET', 'maxmemory-policy', 'allkeys-lru'));
      await expectRefusal(env, /Redis has maxmemory-policy allkeys-lru.*Set maxmemory-policy noeviction/);
      await withRedis(url, (redis) => redis.config('SET', 'maxmemory-policy', 'noeviction'));
      await expectRefusal({ ...env, REDIS_URL: `${url}/99` }, /Redis has no database 99/);
      await expectRefusal({ ...env, SHARDS: '2' }, /SHARDS is 2, but the data .* was written with SHARDS=1/);
      const inSandbox = { ...env, SANDBOX: 'true' };
      await expectRefusal(inSandbox, /SANDBOX is on, but the data .* is not the sandbox’s.*Set SANDBOX=false/);
      await withRedis(url, (redis) => redis.set(key(shardTag(0), 'MODE'), 'sandbox'));
      await expectRefusal(env, /SANDBOX is off, but the data .* is the sandbox’s.*Use an empty Redis/);
    });
  });
});
