/** What processes cost, whoever else uses the machine. */
import { readFile } from 'node:fs/promises';

/** Linux counts a process's time in hundredths of a second, on every architecture that Node runs on. */
const TICK_MS = 10;

/** User and system time of a process so far; NaN where there is no /proc. */
const cpuMs = async (pid: number): Promise<number> => {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
  // The name in brackets may hold anything; utime and stime are the 12th and 13th field behind it (proc_pid_stat(5)).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11] ?? Number.NaN) + Number(fields[12] ?? Number.NaN)) * TICK_MS;
};

/** Milliseconds of CPU that each of the processes took while `step` ran, in their order. */
export const withCpu = async <T>(
  pids: readonly number[],
  step: () => Promise<T>,
): Promise<{ result: T; cpu: number[] }> => {
  const before = await Promise.all(pids.map(cpuMs));
  const result = await step();
  const after = await Promise.all(pids.map(cpuMs));
  return { result, cpu: after.map((each, index) => each - (before[index] ?? Number.NaN)) };
};
