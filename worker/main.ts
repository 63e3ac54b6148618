import { ConfigError } from '../shared/domain/wording/config-error.ts';
import { loadConfig } from '../shared/process/config/config.ts';
import { logDoubts } from '../shared/process/config/log-doubts.ts';
import { takeEnvironment } from '../shared/process/config/take-environment.ts';
import { createLifecycle, runUntilStopped } from '../shared/process/lifecycle.ts';
import { createLog } from '../shared/process/log.ts';
import { UnfitServer } from '../shared/storage/redis/server.ts';
import { startWorker } from './start.ts';

try {
  const config = loadConfig(takeEnvironment(process.env, { forLibraries: true }));
  const log = createLog({ level: config.logLevel, process: 'worker' });
  logDoubts(config, log);
  const lifecycle = createLifecycle({ log });
  runUntilStopped({ lifecycle, log, waitsMs: config.drainMs, exitWithParent: config.exitWithParent });
  await startWorker(config, { lifecycle, log });
} catch (error) {
  if (!(error instanceof ConfigError || error instanceof UnfitServer)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
