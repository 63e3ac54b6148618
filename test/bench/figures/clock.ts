/** Unix time in milliseconds with fractions: the one clock that all processes of the bench compare. */
export const clockMs = (): number => performance.timeOrigin + performance.now();
