/**
 * `npm run bench [-- <measure>… --quick --json --profile=<folder>]`: what the gateway takes, beside bare parts in the same run.
 * Without names it runs every measure. It starts all its processes itself and ends them.
 */
import { parseArgs } from 'node:util';
import { describeMachine } from './figures/machine.ts';
import { createGround } from './ground.ts';
import type { Measure, Row } from './measure.ts';
import { accept } from './measures/accept.ts';
import { batches, batchesMillion } from './measures/batches.ts';
import { crowd } from './measures/crowd.ts';
import { endToEnd } from './measures/end-to-end.ts';
import { fairness } from './measures/fairness.ts';
import { memory } from './measures/memory.ts';
import { recovery } from './measures/recovery.ts';
import { shares } from './measures/shares.ts';
import { start } from './measures/start.ts';
import { throttling } from './measures/throttling.ts';
import { usage } from './measures/usage.ts';
import { wait } from './measures/wait.ts';
import { webhooks } from './measures/webhooks.ts';
import { formatReport } from './report.ts';

const MEASURES = [
  accept,
  start,
  endToEnd,
  memory,
  recovery,
  wait,
  usage,
  webhooks,
  batches,
  batchesMillion,
  fairness,
  shares,
  throttling,
  crowd,
] satisfies Measure[];
/** All of it takes less than half of this. */
const LIMIT_MS = 30 * 60_000;

const { values: options, positionals: names } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    profile: { type: 'string' },
  },
});
const unknown = names.filter((name) => !MEASURES.some((measure) => measure.name === name));
if (unknown.length > 0) {
  process.stderr.write(`No measure ${unknown.join(', ')}. There are: ${MEASURES.map(({ name }) => name).join(', ')}\n`);
  process.exit(1);
}
const chosen = MEASURES.filter(({ name, isLong }: Measure) => (names.length === 0 ? !isLong : names.includes(name)));

const progress = (text: string): void => {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
};

const ground = createGround({ profileDir: options.profile ?? null });
const stop = (reason: string): void => {
  progress('');
  process.stderr.write(`${reason}: stopping\n`);
  void ground.close().finally(() => process.exit(1));
};
process.once('SIGINT', () => stop('SIGINT'));
process.once('SIGTERM', () => stop('SIGTERM'));
setTimeout(() => stop('The bench takes too long'), LIMIT_MS).unref();

const redisVersion = async (): Promise<string> => {
  const { client } = await ground.redis();
  const info = await client.info('server');
  return /redis_version:(\S+)/.exec(info)?.[1] ?? 'unknown';
};

try {
  const machine = describeMachine(await redisVersion());
  await ground.close();
  const results: { measure: Measure; rows: Row[] }[] = [];
  for (const measure of chosen) {
    const report = (text: string): void => progress(`${measure.name}: ${text}`);
    report('starting');
    const rows = await measure.run({ ground, quick: options.quick, progress: report });
    results.push({ measure, rows });
    await ground.close();
  }
  progress('');
  const found = {
    machine,
    quick: options.quick,
    measures: results.map(({ measure: { name }, rows }) => ({ name, rows })),
  };
  process.stdout.write(`${options.json ? JSON.stringify(found, null, 2) : formatReport(machine, results)}\n`);
} finally {
  await ground.close();
}
