/** Calls to the provider by its SDK alone, one after the other: what `Prefer: wait` is compared with. */
import { clockMs } from '../figures/clock.ts';
import { percentile } from '../figures/statistics.ts';
import { createConverse } from './converse.ts';
import { serveParent } from './remote.ts';

let converse: ReturnType<typeof createConverse> | null = null;

const calls = {
  call: async ({ bedrockUrl, text, count }: { bedrockUrl: string; text: string; count: number }) => {
    converse ??= createConverse(bedrockUrl);
    const latencies: number[] = [];
    for (let index = 0; index < count; index++) {
      const sentAt = clockMs();
      await converse(text);
      latencies.push(clockMs() - sentAt);
    }
    return { p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) };
  },
};

export type DirectCalls = typeof calls;
serveParent(calls);
