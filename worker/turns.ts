/** Lets a few steps run at once; the others wait in their order. */
export type Turns = <T>(step: () => Promise<T>) => Promise<T>;

export const createTurns = (atOnce: number): Turns => {
  const waiting: (() => void)[] = [];
  let free = atOnce;
  return async (step) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await step();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
};
