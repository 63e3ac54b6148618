/** The gateway's Lua scripts: each runs atomically on one shard, or on the registry. Their headers say what goes in, what comes out and what a crash leaves. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import { withNames } from '../redis/names.ts';
import { answerOf, isUnknownScript } from '../redis/unavailable.ts';

/** The parts of every script that makes a job final. */
const ENDS_JOBS = [
  'stops',
  'bytes',
  'move-bytes',
  'lanes',
  'lines',
  'limits',
  'feed',
  'calendar',
  'account',
  'audit',
  'budget',
  'outbox',
  'batch',
  'finish',
] as const;

/** The parts of every script that ends the lines of a batch without a turn. */
const STOPS_BATCHES = [
  'bytes',
  'move-bytes',
  'lanes',
  'lines',
  'limits',
  'calendar',
  'account',
  'outbox',
  'batch',
] as const;

/**
 * Each script, and the parts that it uses besides `base`, in their order. Redis runs the whole text at each call, so nothing goes along that is not used.
 */
const SCRIPTS = {
  submit: ['stops', 'bytes', 'lanes', 'lines', 'limits', 'calendar', 'audit', 'budget', 'feed', 'view'],
  claim: ENDS_JOBS,
  settle: ENDS_JOBS,
  cancel: ENDS_JOBS,
  erase: ['bytes', 'move-bytes', 'lines', 'forget-job'],
  view: ['lanes', 'lines', 'view'],
  heartbeat: ['lanes'],
  tick: ['bytes', 'move-bytes', 'lanes', 'lines', 'limits', 'feed'],
  reconcile: [],
  measure: ['lanes', 'lines'],
  sweep: ENDS_JOBS,
  'trim-jobs': [],
  'take-request': ['limits'],
  'begin-batch': ['stops', 'bytes', 'limits'],
  stage: ['stops', 'bytes', 'move-bytes'],
  publish: ['stops', 'bytes', 'move-bytes', 'lanes', 'lines', 'limits', 'feed', 'view-batch'],
  'view-batches': ['view-batch'],
  'view-lines': ['lanes', 'lines', 'view', 'view-batch', 'line-number'],
  'read-outcomes': ['lines', 'view-batch'],
  'cancel-batch': [...STOPS_BATCHES, 'view-batch'],
  'erase-batch': [...STOPS_BATCHES, 'view-batch'],
  'sweep-batch': [...ENDS_JOBS, 'line-number'],
  'stop-work': ['audit'],
  'end-work': ENDS_JOBS,
  'erase-work': ['stops', 'audit', ...STOPS_BATCHES, 'forget-job'],
  'claim-delivery': ['bytes', 'move-bytes', 'outbox'],
  'settle-delivery': ['bytes', 'move-bytes', 'outbox'],
  tend: ['bytes', 'move-bytes', 'outbox'],
  redeliver: ['bytes', 'move-bytes', 'outbox'],
  'test-webhook': ['bytes', 'move-bytes', 'outbox'],
  'reseal-webhook-secret': [],
  'put-webhook-secret': ['audit'],
  'read-webhook-secret': ['audit'],
  'note-login': ['audit'],
  'read-usage': [],
  'read-budget': ['calendar'],
  'seal-audit': [],
  'trim-audit': [],
  'put-tenant': ['audit', 'stop-order'],
  'delete-tenant': ['audit', 'stop-order'],
  'issue-key': ['audit'],
  'revoke-key': ['audit', 'stop-order'],
  'forget-stop-order': [],
  'look-up-key': [],
  'touch-key': [],
} as const satisfies Record<string, readonly string[]>;
export type ScriptName = keyof typeof SCRIPTS;

const source = (path: string): string => readFileSync(new URL(`scripts/${path}.lua`, import.meta.url), 'utf8');

/**
 * Runs a script on the shard `tag`; the answer has the form of the script's header.
 * Rejects with RedisUnavailable where Redis cannot be reached: whether it ran is then unknown.
 */
export type RunScript = (name: ScriptName, tag: string, args: readonly (string | number)[]) => Promise<unknown>;

export const createScripts = (redis: Redis): RunScript => {
  const scripts = new Map(
    Object.entries(SCRIPTS).map(([name, parts]) => {
      const text = ['parts/base', ...parts.map((part) => `parts/${part}`), name].map(source).join('\n');
      const lua = withNames(text);
      return [name, { lua, sha: createHash('sha1').update(lua).digest('hex') }];
    }),
  );
  return async (name, tag, args) => {
    const script = scripts.get(name);
    if (!script) throw new Error(`no script ${name}`);
    // The text goes along only where the server does not know the script yet.
    return answerOf(
      redis
        .evalsha(script.sha, 1, tag, ...args)
        .catch((error: unknown) =>
          isUnknownScript(error) ? redis.eval(script.lua, 1, tag, ...args) : Promise.reject(error),
        ),
    );
  };
};
