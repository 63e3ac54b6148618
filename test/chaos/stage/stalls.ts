/** The fault that nobody injects: a machine that has too much to do runs the gateway's processes too late, as if they were stopped. */
import type { Fault } from './faults.ts';

const LOOK_EVERY_MS = 100;
/** So much later than due, this process ran again. What the gateway's own processes do, it does not feel. */
const LATE_MS = 500;

/** Notes each time at which this process, which all of the gateway's traffic passes, was not run; `stop` ends it. */
export const noteStalls = (): { stalls: Fault[]; stop: () => void } => {
  const stalls: Fault[] = [];
  let dueMs = performance.now() + LOOK_EVERY_MS;
  const timer = setInterval(() => {
    const lateMs = performance.now() - dueMs;
    if (lateMs > LATE_MS) stalls.push({ what: 'machine overloaded', at: Date.now() - lateMs, until: Date.now() });
    dueMs = performance.now() + LOOK_EVERY_MS;
  }, LOOK_EVERY_MS).unref();
  return { stalls, stop: () => clearInterval(timer) };
};
