/** Tenants of the registry, and a tenant's work as a whole: stopped, ended, erased. */

import type { Handoff } from '../../queue/queues.ts';
import { command } from '../command.ts';

export const putTenant = command('tenants/put-tenant', {
  tenant: 'text',
  mode: 'text',
  actor: 'text',
  wish: 'text',
  stopReason: 'text',
  fields: 'list',
}).answers<string[]>();

export const deleteTenant = command(
  'tenants/delete-tenant',
  { tenant: 'text', actor: 'text', stopReason: 'text' },
  'allow-oom',
).answers<'deleted' | 'gone'>();

export const stopWork = command(
  'tenants/stop-work',
  { tenant: 'text', reason: 'text', platformKey: 'text', order: 'text', actor: 'text' },
  'allow-oom',
).answers<0>();

export const endWork = command(
  'tenants/end-work',
  { tenant: 'text', retentionMs: 'whole', maxHandoffs: 'whole' },
  'allow-oom',
).answers<['more' | 'erase' | 'ended', jobs: number, Handoff[]]>();

export const eraseWork = command('tenants/erase-work', { tenant: 'text', stubMs: 'whole' }, 'allow-oom').answers<
  'more' | 'waiting' | 'erased'
>();

export const forgetStopOrder = command(
  'tenants/forget-stop-order',
  { subject: 'text', order: 'text' },
  'allow-oom',
).answers<0>();
