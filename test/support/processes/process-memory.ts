/** What a process of the gateway holds once its garbage is collected. */
import { readFile } from 'node:fs/promises';
import { until } from '../until.ts';
import type { GatewayProcess } from './process.ts';

/** What a process needs in its environment to tell. */
export const TELLS_MEMORY = { NODE_OPTIONS: `--import=${new URL('./tell-memory.ts', import.meta.url).href}` };

const PAGE_BYTES = 4_096;

export type ProcessMemory = { residentBytes: number; heapBytes: number; timers: number };

/** Throws where the process does not tell within the time. */
export const readMemory = async (
  { pid, log, signal }: Pick<GatewayProcess, 'pid' | 'log' | 'signal'>,
  { withinMs = 5_000 } = {},
): Promise<ProcessMemory> => {
  const told = log.length;
  signal('SIGUSR2');
  const memory = await until('its memory is told', () => log.slice(told).find(({ msg }) => msg === 'memory'), {
    withinMs,
  });
  const [, pages = ''] = (await readFile(`/proc/${pid}/statm`, 'utf8')).split(' ');
  return {
    residentBytes: Number(pages) * PAGE_BYTES,
    heapBytes: Number(memory.heap),
    timers: Number(memory.timers),
  };
};
