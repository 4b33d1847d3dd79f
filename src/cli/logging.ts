/** The product's logger on pino: the event list (core/log.ts) decides what may be said, pino how it is written. */
import pino from 'pino';
import type { Logger, LogLevel } from '../core/log.ts';

export function createLogger(level: LogLevel, destination: number | string = 1): Logger {
  const log = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ dest: destination, sync: true }),
  );
  return { log: (severity, event, fields) => log[severity]({ event, ...fields }) };
}
