/** Room in a worker's memory for the requests of its calls: a call waits in its turn until there is enough for its own. */

export type BodyMemory = {
  /** Answers how to give the room back, which is safe to call twice; null if `signal` aborts first. */
  take: (bytes: number, signal: AbortSignal) => Promise<(() => void) | null>;
};

/** What is more than all of it waits for all of it. */
export const createBodyMemory = (limitBytes: number): BodyMemory => {
  let free = limitBytes;
  const waiting: { bytes: number; begin: () => void }[] = [];

  const serve = (): void => {
    for (let first = waiting[0]; first !== undefined && first.bytes <= free; first = waiting[0]) {
      waiting.shift();
      free -= first.bytes;
      first.begin();
    }
  };

  return {
    take: (wanted, signal) => {
      const bytes = Math.min(wanted, limitBytes);
      if (bytes === 0) return Promise.resolve(() => {});
      const { promise, resolve } = Promise.withResolvers<(() => void) | null>();
      let isHeld = false;
      const giveBack = (): void => {
        if (!isHeld) return;
        isHeld = false;
        free += bytes;
        serve();
      };
      const entry = {
        bytes,
        begin: () => {
          signal.removeEventListener('abort', leave);
          isHeld = true;
          resolve(giveBack);
        },
      };
      const leave = (): void => {
        const at = waiting.indexOf(entry);
        if (at !== -1) waiting.splice(at, 1);
        resolve(null);
        // It may have stood before others that fit.
        serve();
      };
      if (signal.aborted) return Promise.resolve(null);
      signal.addEventListener('abort', leave, { once: true });
      waiting.push(entry);
      serve();
      return promise;
    },
  };
};
