/** The audit log of a shard or of the registry, and its chain of seals. */
import type { Entry } from '../../../keys/signing/audit-seals.ts';
import { command } from '../command.ts';

export const noteLogin = command('audit/note-login', { network: 'text', count: 'whole' }).answers<0>();

export const sealAudit = command('audit/seal-audit', {
  worker: 'text',
  leaseMs: 'whole',
  maxRows: 'whole',
  seal: 'list',
}).answers<['follower'] | ['leader', nowMs: number, number: number, last: string, mac: string, Entry[]]>();

export const trimAudit = command(
  'audit/trim-audit',
  { before: 'whole', number: 'whole', last: 'text', mac: 'text', pepper: 'text', check: 'text', keepFrom: 'text' },
  'allow-oom',
).answers<'trimmed' | 'stale'>();
