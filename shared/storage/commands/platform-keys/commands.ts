/** Platform keys, in the registry. */
import { command } from '../command.ts';

export const issueKey = command('platform-keys/issue-key', {
  tenant: 'text',
  id: 'text',
  digest: 'text',
  pepper: 'text',
  name: 'text',
  scopes: 'text',
  expiresMs: 'text',
  replacedId: 'text',
  overlapMs: 'whole',
  maxKeys: 'whole',
  shownMs: 'whole',
  actor: 'text',
}).answers<['issued', string[]] | ['no_tenant' | 'no_key' | 'expired' | 'full', undefined]>();

export const revokeKey = command(
  'platform-keys/revoke-key',
  { tenant: 'text', id: 'text', actor: 'text', stopReason: 'text' },
  'allow-oom',
).answers<'revoked' | 'gone'>();

export const lookUpKey = command('platform-keys/look-up-key', { id: 'text' }, 'no-writes').answers<
  [key?: string[], tenant?: string[]]
>();

export const touchKey = command('platform-keys/touch-key', { id: 'text' }).answers<0>();
