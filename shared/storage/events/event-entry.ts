/** The entries of a list of events: the first says whether the others are sealed, and each of them holds whole events. */
import type { JobId, TenantId } from '../../domain/ids.ts';
import type { BodyBinding } from '../../keys/encryption/seal-body.ts';

/** Whose events they are. Each attempt has a list of its own. */
export type EventsOf = { tenant: TenantId; id: JobId; attempt: number };

export const bindingOf = ({ tenant, id, attempt }: EventsOf): BodyBinding => ({
  tenant,
  subject: `${id}.${attempt}`,
  part: 'events',
});

export const headOf = (seal: string | null): string => (seal === null ? 'p1' : `s1.${seal}`);

/** Null for what no release that is known here wrote. */
export const parseHead = (text: string): { seal: string | null } | null => {
  if (text === 'p1') return { seal: null };
  return text.startsWith('s1.') ? { seal: text.slice('s1.'.length) } : null;
};
