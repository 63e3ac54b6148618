/** `npm run fuzz [-- --requests N --seed N]`: requests drawn from the OpenAPI document, and bytes, against a real gateway. The seed (random, and printed) draws them again. */
import { parseArgs } from 'node:util';
import { startGateway } from '../support/processes/gateway.ts';
import { FUZZED } from './gateway.ts';
import { runFuzz } from './run.ts';

const { values } = parseArgs({
  options: { requests: { type: 'string', default: '100000' }, seed: { type: 'string' } },
});
const requests = Number(values.requests);
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
if (!Number.isSafeInteger(requests) || requests < 1 || !Number.isSafeInteger(seed)) {
  process.stderr.write('--requests and --seed are whole numbers.\n');
  process.exit(2);
}
const say = (text: string): void => void process.stdout.write(`${text}\n`);

say(`fuzz: ${requests} requests, seed ${seed}`);
const gateway = await startGateway(FUZZED);
try {
  const { sent, answers, findings } = await runFuzz(gateway, { requests, seed, say });
  say(
    `${sent} sent; answers: ${[...answers]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([what, count]) => `${count} × ${what}`)
      .join(', ')}`,
  );
  for (const finding of findings.slice(0, 50)) say(`FOUND: ${finding}`);
  say(findings.length === 0 ? 'nothing found' : `${findings.length} findings`);
  process.exitCode = findings.length === 0 ? 0 : 1;
} finally {
  await gateway.stop();
}
