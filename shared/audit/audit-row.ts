/** What a row of the audit log says. The scripts append it as a list (`audit.lua`); this is the only place that knows the order. */
import { z } from 'zod';

const ATTEMPT = ['platform_key', 'job_id', 'attempt', 'provider', 'model', 'credential', 'fingerprint', 'decision'];

/**
 * What follows kind and tenant in a row of each kind.
 * `decision`: `granted` where a credential is given to a worker for one call; of an attempt that ended, what became of its job by that: a final state, `queued`, or
 * `superseded`, `late` (another attempt decides) and `lost` (its worker was).
 */
const COLUMNS: Readonly<Record<string, readonly string[]>> = {
  attempt_started: ATTEMPT,
  attempt_ended: [...ATTEMPT, 'outcome', 'code'],
  webhook_secret_rotated: ['platform_key'],
};

const listed = z.tuple([z.string(), z.string()], z.json());

export type AuditRow = { id: string; object: 'audit_row'; time: string; kind: string; tenant: string } & Record<
  string,
  z.core.util.JSONType
>;

/** A row as readers see it; null for an entry that no script of ours wrote. `place` is the log that it stands in, `entry` its id there. */
export const parseAuditRow = (place: string, entry: string, text: string): AuditRow | null => {
  let values: z.infer<typeof listed>;
  try {
    values = listed.parse(JSON.parse(text));
  } catch {
    return null;
  }
  const [kind, tenant, ...rest] = values;
  const columns = COLUMNS[kind] ?? [];
  return {
    id: `${place}:${entry}`,
    object: 'audit_row',
    time: new Date(Number.parseInt(entry, 10)).toISOString(),
    kind,
    tenant,
    ...Object.fromEntries(
      rest.map((value, index) => [columns[index] ?? `value_${index + 1}`, value === '' ? null : value]),
    ),
  };
};
