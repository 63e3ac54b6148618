export type Limit = {
  /** Aborts when the time is over, or with the parent. */
  signal: AbortSignal;
  leftMs: () => number;
  /** To be called when it is no longer needed: it holds a timer, and listens to the parent. */
  end: () => void;
};

/** Not `AbortSignal.any` with `AbortSignal.timeout`: its timer runs on after the work is done, once for every delivery. */
export const limitTime = (limitMs: number, parent: AbortSignal): Limit => {
  const controller = new AbortController();
  const abort = () => controller.abort();
  const endsAt = performance.now() + limitMs;
  const timer = setTimeout(abort, limitMs);
  parent.addEventListener('abort', abort, { once: true });
  if (parent.aborted) abort();
  return {
    signal: controller.signal,
    leftMs: () => Math.max(0, endsAt - performance.now()),
    end: () => {
      clearTimeout(timer);
      parent.removeEventListener('abort', abort);
    },
  };
};
