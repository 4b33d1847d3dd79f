/**
 * The product's logger on pino: the event list (core/log.ts) decides what may be said, pino how it is written. Whoever
 * reads the log may stall: lines wait in a bounded buffer and, when that is full, are dropped, because a gateway that
 * stops receiving for want of a log reader would be worse.
 */
import pino from 'pino';
import type { Logger, LogLevel } from '../core/log.ts';

const BUFFER_BYTES_MAX = 8 * 1024 * 1024;

export function createLogger(level: LogLevel, descriptor = 1): Logger {
  const destination = pino.destination({ dest: descriptor, sync: false, maxLength: BUFFER_BYTES_MAX });
  destination.on('error', () => undefined); // a reader that is gone: nothing is left to tell it
  process.once('exit', () => flush(destination));
  const formatters = { level: (label: string) => ({ level: label }) };
  const log = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters }, destination);
  return { log: (severity, event, fields) => log[severity]({ event, ...fields }) };
}

/** What still waits, as far as the reader takes it at once. */
function flush(destination: ReturnType<typeof pino.destination>): void {
  try {
    destination.flushSync();
  } catch {
    // The descriptor is not ready or gone; the process ends all the same.
  }
}
