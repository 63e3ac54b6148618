/** What keeps every job moving: workers say that they live, and one of them looks after each shard. */

import type { Handoff } from '../../queue/queues.ts';
import { command } from '../command.ts';

export const heartbeat = command('scheduler/heartbeat', {
  worker: 'text',
  slots: 'whole',
  aliveMs: 'whole',
  schema: 'whole',
  limits: 'list',
}).answers<string[]>();

export const tick = command('scheduler/tick', { worker: 'text', leaseMs: 'whole' }).answers<
  ['leader' | 'follower', Handoff[]]
>();

export const reconcile = command('scheduler/reconcile', { cursor: 'text', lateMs: 'whole' }, 'no-writes').answers<
  [nextCursor: string, lost: Handoff[]]
>();

export const measure = command('scheduler/measure', {}, 'allow-oom').answers<number[]>();
