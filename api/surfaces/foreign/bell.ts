/** Wakes one who waits; rung before, it wakes at once. */
export const createBell = () => {
  let isRung = false;
  let wake: () => void = () => {};
  return {
    ring: (): void => {
      isRung = true;
      wake();
    },
    wait: async (limitMs: number): Promise<void> => {
      if (!isRung) {
        const { promise, resolve } = Promise.withResolvers<void>();
        const timer = setTimeout(resolve, limitMs);
        wake = resolve;
        await promise;
        clearTimeout(timer);
      }
      isRung = false;
    },
  };
};
