/** Loaded before a process of the gateway (`--import`): at SIGUSR2 it collects its garbage and logs what is left. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
// A new context has the function that the flag brings; this one was made before it.
const collect = runInNewContext('gc') as () => void;

process.on('SIGUSR2', () => {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  const line = { level: 30, msg: 'memory', heap: heapUsed + external, timers: countTimers() };
  process.stdout.write(`${JSON.stringify(line)}\n`);
});

const countTimers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
