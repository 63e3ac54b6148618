import { type DestinationStream, pino } from 'pino';
import type { Log } from '../domain/log.ts';
import type { Config } from './config/config.ts';

/** The log of a process, a JSON object a line. */
export const createLog = (
  { level, process }: { level: Config['logLevel']; process: string },
  destination?: DestinationStream,
): Log => {
  const logger = pino(
    { level, base: { process }, timestamp: pino.stdTimeFunctions.isoTime },
    destination ?? pino.destination(1),
  );
  return {
    debug: (event, fields) => logger.debug(fields ?? {}, event),
    info: (event, fields) => logger.info(fields ?? {}, event),
    warn: (event, fields) => logger.warn(fields ?? {}, event),
    error: (event, fields) => logger.error(fields ?? {}, event),
  };
};
