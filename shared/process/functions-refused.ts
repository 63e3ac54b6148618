import type { Log } from '../domain/log.ts';

/** Says once that commands run as scripts from now on, and what would change that. */
export const functionsRefused = (log: Log) => (): void =>
  log.warn('redis_functions_refused', {
    reason:
      'The user of REDIS_URL may not load or call functions, so each command is sent as a script, which costs Redis more time. Allow it: ACL SETUSER <user> +fcall +function|load +function|list +function|delete.',
  });
