/**
 * The audit chain's link: each entry's hash covers the entry and the hash before it, so that nothing can be changed,
 * removed or put in between without every later hash being wrong. Used by whoever appends and by whoever verifies.
 */
import { hash } from 'node:crypto';

export interface AuditEntry {
  /** From 1, without gaps. */
  readonly sequence: number;
  readonly atMs: number;
  readonly event: string;
  /** Our own id, or empty where the entry is about no single instance. */
  readonly instance: string;
  /** Codes, rule names, destinations: never an element value. */
  readonly detail: string;
}

/** What stands before the first entry. */
export const CHAIN_START = '0'.repeat(64);

/** Lower-case hexadecimal SHA-256 over the previous hash and the entry; fields are length-prefixed, so none can slide. */
export function chainHash(previous: string, entry: AuditEntry): string {
  const fields = [String(entry.sequence), String(entry.atMs), entry.event, entry.instance, entry.detail];
  return hash('sha256', previous + fields.map((field) => `${Buffer.byteLength(field)}:${field}`).join(''), 'hex');
}
