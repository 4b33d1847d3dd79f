/**
 * Our own instance identifier: 26 characters of Crockford's base 32, 48 bits of time and 80 of chance (the ULID shape),
 * so that identifiers sort by arrival, never collide across nodes and say nothing about a patient.
 */
import type { Clock, Random } from './clock.ts';

export type InstanceId = string;

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const TIME_CHARACTERS = 10;
const CHANCE_CHARACTERS = 16;

export function newInstanceId(clock: Clock, random: Random): InstanceId {
  let text = timeText(clock.nowMs());
  for (const byte of random.bytes(CHANCE_CHARACTERS)) text += ALPHABET.charAt(byte & 31);
  return text;
}

/** Sorts behind every identifier made before `timeMs` and before all others. */
export function newestIdBefore(timeMs: number): InstanceId {
  return timeText(Math.max(0, timeMs));
}

function timeText(timeMs: number): string {
  let text = '';
  for (let time = Math.floor(timeMs); text.length < TIME_CHARACTERS; time = Math.floor(time / 32))
    text = ALPHABET.charAt(time % 32) + text;
  return text;
}

export function isInstanceId(text: string): boolean {
  return /^[0-9A-HJKMNP-TV-Z]{26}$/.test(text);
}
