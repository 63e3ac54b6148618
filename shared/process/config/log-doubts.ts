import type { Log } from '../../domain/log.ts';
import type { Config } from './config.ts';

/** Says what the configuration holds that is taken and should be looked at. */
export const logDoubts = ({ misspelt, weakKeys }: Config, log: Log): void => {
  for (const doubt of misspelt) log.warn('variable_unknown', doubt);
  for (const doubt of weakKeys) log.warn('old_key_weak', doubt);
};
