/** What a row of the audit log says. The scripts append it as a list (`audit.lua`); this is the only place that knows the order. */
import { z } from 'zod';
import { time } from '../wire.ts';
import { isoTimeOf, timeOf } from './stream-id.ts';

/** Who changed the registry: whoever has the admin token, or whoever runs the gateway's commands. */
export type Actor = 'operator' | 'command';

const ATTEMPT = [
  'platform_key',
  'job_id',
  'attempt',
  'provider',
  'model',
  'credential',
  'fingerprint',
  'decision',
] as const;

/**
 * What follows kind and tenant in a row of each kind.
 * `decision`: `granted` where a credential is given to a worker for one call; of an attempt that ended, what became of its job by that: a final state, `queued`, or
 * `superseded`, `late` (another attempt decides) and `lost` (its worker was).
 */
const COLUMNS = {
  attempt_started: ATTEMPT,
  attempt_ended: [...ATTEMPT, 'outcome', 'code'],
  // 80: so many percent of a month's budget are used; 100: all of it, or a call did not fit into it any more. In nano-dollars.
  budget_threshold: ['ledger', 'month', 'percent', 'used_nano', 'budget_nano'],
  tenant_created: ['actor', 'changes'],
  tenant_changed: ['actor', 'changes'],
  tenant_deleted: ['actor', 'revoked_keys'],
  key_issued: ['actor', 'platform_key', 'name', 'scopes'],
  key_rotated: ['actor', 'platform_key', 'replaced_key', 'overlap_ms'],
  key_revoked: ['actor', 'platform_key'],
  webhook_secret_rotated: ['platform_key'],
  // Of the next two only so many are written that nobody can fill the log.
  webhook_secret_read: ['platform_key'],
  admin_login_failed: ['network', 'count'],
  // `platform_key`: whose work alone is stopped.
  work_stopped: ['actor', 'reason', 'platform_key'],
  stopped_work_ended: ['jobs', 'batches', 'lines', 'running'],
  tenant_erased: ['jobs', 'batches', 'deliveries'],
} as const satisfies Record<string, readonly string[]>;

type AuditKind = keyof typeof COLUMNS;
// A cast because Object.keys forgets the names.
export const AUDIT_KINDS = Object.keys(COLUMNS) as [AuditKind, ...AuditKind[]];

const listed = z.tuple([z.enum(AUDIT_KINDS), z.string()], z.json());

export const auditRow = z.looseObject({
  id: z.string(),
  object: z.literal('audit_row'),
  time,
  kind: z.enum(AUDIT_KINDS),
  tenant: z.string(),
});
export type AuditRow = z.infer<typeof auditRow>;

/** A row as readers see it; null for an entry that no script of ours wrote. `chain` is the one that it stands in, `entry` its id there. */
export const parseAuditRow = (chain: string, entry: string, text: string): AuditRow | null => {
  let values: z.infer<typeof listed>;
  try {
    values = listed.parse(JSON.parse(text));
  } catch {
    return null;
  }
  const [kind, tenant, ...rest] = values;
  const columns: readonly string[] = COLUMNS[kind];
  return {
    id: `${chain}:${entry}`,
    object: 'audit_row',
    time: isoTimeOf(timeOf(entry)),
    kind,
    tenant,
    ...Object.fromEntries(
      rest.map((value, index) => [columns[index] ?? `value_${index + 1}`, value === '' ? null : value]),
    ),
  };
};

const written = z.tuple([z.string(), z.string()], z.json());

/** Whether a script of this or another release can have written an entry: kinds and columns may be unknown here. */
export const isRow = (fields: readonly string[]): boolean => {
  const [name, text = ''] = fields;
  if (fields.length !== 2 || name !== 'row') return false;
  try {
    return written.safeParse(JSON.parse(text)).success;
  } catch {
    return false;
  }
};
