/** What the commands of tenants print: JSON, or lines for people. */

import { SCOPES } from '../../shared/domain/tenants/caller.ts';
import type { PlatformKey, Tenant, TenantWork } from '../../shared/domain/tenants/schema.ts';
import { type IssueAnswer, MOST_KEYS } from '../../shared/storage/tenants/platform-key-store.ts';
import { CommandError } from '../command/run-command.ts';
import { tableText } from '../command/table.ts';

type Options = { json?: boolean };

export const noTenant = () => new CommandError('There is no tenant of this id.');

export const tenantText = (tenant: Tenant | null, { json }: Options): string => {
  if (tenant === null) throw noTenant();
  if (json) return JSON.stringify(tenant);
  const { limits, allowed_models, object: _, ...fields } = tenant;
  const shown = { ...fields, allowed_models: allowed_models?.join(', ') ?? 'all', ...limits };
  return tableText(
    ['field', 'value'],
    Object.entries(shown).map(([name, value]) => [name, value ?? 'default']),
  );
};

export const workText = (work: TenantWork, { json }: Options): string => {
  if (json) return JSON.stringify(work);
  const { object: _, stop, erasure, ...counts } = work;
  const named = (about: string, fields: object | null): [string, unknown][] =>
    Object.entries(fields ?? {}).map(([name, value]) => [`${about} ${name}`, value ?? '-']);
  const rows = [...Object.entries(counts), ...named('stop:', stop), ...named('erasure:', erasure)];
  return tableText(
    ['field', 'value'],
    rows.map(([name, value]) => [name, String(value)]),
  );
};

export const keysText = (keys: readonly PlatformKey[]): string =>
  tableText(
    ['id', 'name', 'scopes', 'created', 'expires', 'last used'],
    keys.map((key) => [
      key.id,
      key.name,
      key.scopes.length === SCOPES.length ? 'all' : key.scopes.join(','),
      key.created_at,
      key.expires_at,
      key.last_used_at,
    ]),
  );

/** Holds the secret, which can be read nowhere afterwards. */
export const issuedText = (answer: IssueAnswer, { json }: Options): string => {
  switch (answer.kind) {
    case 'issued':
      if (json) return JSON.stringify({ ...answer.key, secret: answer.secret.reveal() });
      return `${keysText([answer.key])}\n\nThe key, shown this once: ${answer.secret.reveal()}`;
    case 'no_tenant':
      throw noTenant();
    case 'no_key':
      throw new CommandError('This tenant has no platform key of this id.');
    case 'expired':
      throw new CommandError('This platform key has expired; issue a new one.');
    case 'full':
      throw new CommandError(`A tenant has at most ${MOST_KEYS} platform keys; revoke one that is no longer used.`);
  }
};
