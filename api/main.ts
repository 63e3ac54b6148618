import { ConfigError } from '../shared/domain/wording/config-error.ts';
import { loadConfig } from '../shared/process/config/config.ts';
import { logDoubts } from '../shared/process/config/log-doubts.ts';
import { takeEnvironment } from '../shared/process/config/take-environment.ts';
import { createLifecycle, runUntilStopped } from '../shared/process/lifecycle.ts';
import { createLog } from '../shared/process/log.ts';
import { UnfitServer } from '../shared/storage/redis/server.ts';
import { startApi } from './start.ts';

const LISTEN_PROBLEMS: Record<string, string> = {
  EADDRINUSE: 'is in use: stop what listens there, or set another one',
  EACCES: 'may not be used by this user: set one above 1023',
  ENOTFOUND: 'cannot be opened: HOST is no address and no name that is known here',
  EAI_AGAIN: 'cannot be opened: HOST is a name that cannot be looked up just now',
  EADDRNOTAVAIL: 'cannot be opened: HOST is no address of this machine',
};

const refuse = (message: string): never => {
  process.stderr.write(`${message}\n`);
  process.exit(1);
};

try {
  const config = loadConfig(takeEnvironment(process.env, { forLibraries: true }));
  const log = createLog({ level: config.logLevel, process: 'api' });
  logDoubts(config, log);
  const lifecycle = createLifecycle({ log });
  runUntilStopped({
    lifecycle,
    log,
    waitsMs: config.http.unreadyMs + config.drainMs,
    exitWithParent: config.exitWithParent,
  });
  await startApi(config, { lifecycle, log, onUnfit: ({ message }) => refuse(message) }).catch(
    (error: NodeJS.ErrnoException & { port?: number }) => {
      const problem = LISTEN_PROBLEMS[error.code ?? ''];
      if (problem === undefined) throw error;
      refuse(`Port ${error.port ?? config.http.port} on ${config.http.host} ${problem}.`);
    },
  );
} catch (error) {
  if (!(error instanceof ConfigError || error instanceof UnfitServer)) throw error;
  refuse(error.message);
}
