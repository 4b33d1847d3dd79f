/**
 * How fast and when a destination may be sent to: a limit in bytes per second and hours of the day. Pure: time is
 * passed in, waiting is the caller's.
 *
 * API: `pay(bucket, bytes, nowMs, bytesPerSecond) -> { bucket, waitMs }`; `parseTimeWindow(text)`;
 * `opensInMs(windows, nowMs, timeZone)`: 0 while a window is open.
 */
import { LetheError } from '../core/errors.ts';

/** Bytes that may still go without waiting; negative when bytes went on credit. */
export interface Bucket {
  readonly bytes: number;
  readonly atMs: number;
}

/** What a quiet moment may save up, so that small requests do not wait. */
const BURST_MS = 250;

export function emptyBucket(nowMs: number): Bucket {
  return { bytes: 0, atMs: nowMs };
}

/**
 * Takes what is to be sent out of the bucket and says how long to wait before sending it. A piece larger than the
 * bucket goes on credit, which the next one pays: the rate holds over any two pieces.
 */
export function pay(
  bucket: Bucket,
  bytes: number,
  nowMs: number,
  bytesPerSecond: number,
): { bucket: Bucket; waitMs: number } {
  const burst = (bytesPerSecond * BURST_MS) / 1000;
  const elapsedMs = Math.max(0, nowMs - bucket.atMs);
  const available = Math.min(burst, bucket.bytes + (elapsedMs * bytesPerSecond) / 1000);
  const waitMs = available >= 0 ? 0 : (-available * 1000) / bytesPerSecond;
  return { bucket: { bytes: available - bytes, atMs: nowMs }, waitMs };
}

/** Minutes of the local day, from 0 to 1440; `to` before `from` runs over midnight and belongs to the day it began. */
export interface TimeWindow {
  readonly from: number;
  readonly to: number;
  /** 0 is Sunday. */
  readonly days: ReadonlySet<number>;
}

const DAY_MINUTES = 1440;
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const MINUTE_MS = 60_000;
const WINDOW = /^(?:([a-z,-]+) )?(\d\d):(\d\d)-(\d\d):(\d\d)$/;

/** `20:00-06:00`, `sat,sun 00:00-24:00`, `mon-fri 18:30-07:00`. @throws CONFIG_INVALID */
export function parseTimeWindow(text: string): TimeWindow {
  const match = WINDOW.exec(text.trim().toLowerCase());
  if (match === null) throw invalid('a time window is written such as `mon-fri 20:00-06:00`');
  const [, days, fromHour, fromMinute, toHour, toMinute] = match;
  const from = minutesOf(fromHour, fromMinute);
  const to = minutesOf(toHour, toMinute);
  if (from === to || from === DAY_MINUTES) throw invalid('a time window begins before it ends');
  return { from, to, days: daysOf(days ?? 'sun-sat') };
}

/**
 * Milliseconds until a window opens, 0 when one is open or there is none at all. Counted in minutes of the wall clock:
 * over a change of daylight saving time the answer may be an hour off, so ask again after waiting.
 */
export function opensInMs(windows: readonly TimeWindow[], nowMs: number, timeZone: string): number {
  if (windows.length === 0) return 0;
  const { day, minute } = wallClock(nowMs, timeZone);
  let soonest = Number.POSITIVE_INFINITY;
  for (const window of windows) {
    if (isOpen(window, day, minute)) return 0;
    for (let ahead = 0; ahead <= 7; ahead++) {
      const wait = ahead * DAY_MINUTES + window.from - minute;
      if (wait > 0 && window.days.has((day + ahead) % 7)) soonest = Math.min(soonest, wait);
    }
  }
  return soonest * MINUTE_MS - (nowMs % MINUTE_MS);
}

function isOpen({ from, to, days }: TimeWindow, day: number, minute: number): boolean {
  if (from < to) return days.has(day) && minute >= from && minute < to;
  const begunToday = days.has(day) && minute >= from;
  const begunYesterday = days.has((day + 6) % 7) && minute < to;
  return begunToday || begunYesterday;
}

function wallClock(nowMs: number, timeZone: string): { day: number; minute: number } {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
  const parts = new Map(format.formatToParts(nowMs).map(({ type, value }) => [type, value]));
  const day = DAYS.indexOf((parts.get('weekday') ?? '').toLowerCase());
  return { day, minute: minutesOf(parts.get('hour'), parts.get('minute')) };
}

function daysOf(text: string): ReadonlySet<number> {
  const days = new Set<number>();
  for (const range of text.split(',')) {
    const [first, last] = range.split('-').map((name) => DAYS.indexOf(name));
    if (first === undefined || first < 0 || last === -1)
      throw invalid('a day is one of sun, mon, tue, wed, thu, fri, sat');
    const end = last ?? first;
    for (let day = first; ; day = (day + 1) % 7) {
      days.add(day);
      if (day === end) break;
    }
  }
  return days;
}

function minutesOf(hours: string | undefined, minutes: string | undefined): number {
  const total = Number(hours) * 60 + Number(minutes);
  if (!(total <= DAY_MINUTES) || Number(minutes) > 59) throw invalid('a time of day is between 00:00 and 24:00');
  return total;
}

function invalid(what: string): LetheError {
  return new LetheError('CONFIG_INVALID', { what });
}
