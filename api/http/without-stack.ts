/**
 * Runs what throws for a client's mistake: a stack trace costs more than the check itself, and nobody
 * reads it. Synchronous, so that no error of anybody else's goes without.
 */
export const withoutStack = <T>(check: () => T): T => {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return check();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
};
