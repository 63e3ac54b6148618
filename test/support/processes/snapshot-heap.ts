/** Loaded before a process of the gateway (`--import`): at SIGUSR2 it collects its garbage and writes what is still reachable to `HEAP_SNAPSHOT`. */
import { renameSync } from 'node:fs';
import { setFlagsFromString, writeHeapSnapshot } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
// A new context has the function that the flag brings; this one was made before it.
const collect = runInNewContext('gc') as () => void;

process.on('SIGUSR2', () => {
  collect();
  const path = process.env.HEAP_SNAPSHOT ?? '';
  renameSync(writeHeapSnapshot(`${path}.part`), path);
});
