/** Repeats a step, never two at once. */
export type Repeating = {
  /** Waits for a step that runs; none starts after. */
  stop: () => Promise<void>;
};

/** Loops side by side as one: what holds one up, or breaks it, is nothing to the others. */
export const together = (loops: readonly Repeating[]): Repeating => ({
  stop: async () => {
    await Promise.all(loops.map((loop) => loop.stop()));
  },
});

export const every = (intervalMs: number, step: () => Promise<void>, onError: (error: unknown) => void): Repeating => {
  let stopped = false;
  let timer: NodeJS.Timeout | null = null;
  let running: Promise<void> = Promise.resolve();
  const turn = (): void => {
    const startedMs = performance.now();
    running = step()
      .catch(onError)
      .then(() => {
        if (!stopped) timer = setTimeout(turn, Math.max(0, startedMs + intervalMs - performance.now()));
      });
  };
  turn();
  return {
    stop: async () => {
      stopped = true;
      if (timer) clearTimeout(timer);
      await running;
    },
  };
};
