/** What Linux knows about processes, for tests that ask whether one is gone. */
import { readdirSync, readFileSync } from 'node:fs';

const readStat = (pid: number | string): { state: string; parent: number } | null => {
  try {
    // The name in parentheses may hold spaces and parentheses itself.
    const [state = '', parent = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return { state, parent: Number(parent) };
  } catch {
    return null;
  }
};

/** False for a zombie too: it has ended, and only nobody asked yet. */
export const isAlive = (pid: number): boolean => {
  const stat = readStat(pid);
  return stat !== null && stat.state !== 'Z';
};

export const childrenOf = (pid: number): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && readStat(name)?.parent === pid)
    .map(Number);

/** The command line of a process, empty when it is gone. */
export const commandOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
};
