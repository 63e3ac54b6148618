import { cpus, loadavg, release, totalmem } from 'node:os';

export type Machine = {
  date: string;
  cores: number;
  cpu: string;
  memoryGiB: number;
  kernel: string;
  node: string;
  redis: string;
  /** Processes that wanted to run in the minute before: above 0.5, others used the machine too. */
  loadBefore: number;
};

/** `redisVersion` as the server itself says. */
export const describeMachine = (redisVersion: string): Machine => ({
  date: new Date().toISOString().slice(0, 16).replace('T', ' '),
  cores: cpus().length,
  cpu: cpus()[0]?.model ?? 'unknown',
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  kernel: `${process.platform} ${release()} ${process.arch}`,
  node: process.version,
  redis: redisVersion,
  loadBefore: Math.round((loadavg()[0] ?? 0) * 10) / 10,
});
