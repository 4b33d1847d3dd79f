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
  let time = clock.nowMs();
  let text = '';
  for (let index = 0; index < TIME_CHARACTERS; index++) {
    text = ALPHABET.charAt(time % 32) + text;
    time = Math.floor(time / 32);
  }
  for (const byte of random.bytes(CHANCE_CHARACTERS)) text += ALPHABET.charAt(byte & 31);
  return text;
}

export function isInstanceId(text: string): boolean {
  return /^[0-9A-HJKMNP-TV-Z]{26}$/.test(text);
}
