/** Puts log-ins of an operator that failed into the audit log, so few that nobody can fill it by failing. */
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { describeError, type Log } from '../../shared/domain/log.ts';
import type { AuditStore } from '../../shared/storage/audit/audit-store.ts';

const WINDOW_SECONDS = 60;
/** Of all networks together, in a window. */
const MAX_ROWS = 60;

/** Says that a log-in from this network failed. Waits for nothing: it fails all the same. */
export type NoteLogin = (network: string) => void;

/** The first, tenth, hundredth … of a network in a minute is a row, with their number. */
export const createNoteLogin = ({ audit, log }: { audit: Pick<AuditStore, 'noteLogin'>; log: Log }): NoteLogin => {
  const failures = new RateLimiterMemory({ points: Number.MAX_SAFE_INTEGER, duration: WINDOW_SECONDS });
  const rows = new RateLimiterMemory({ points: MAX_ROWS, duration: WINDOW_SECONDS });

  const note = async (network: string): Promise<void> => {
    const { consumedPoints: count } = await failures.penalty(network);
    if (!Number.isInteger(Math.log10(count))) return;
    const { consumedPoints: written } = await rows.penalty('all');
    if (written <= MAX_ROWS) await audit.noteLogin(network, count);
  };
  return (network) => {
    note(network).catch((error: unknown) => log.warn('login_not_noted', describeError(error)));
  };
};
