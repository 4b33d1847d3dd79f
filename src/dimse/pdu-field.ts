/**
 * A cursor over one field of a PDU: every read is checked against the field's end, and running over it is
 * DIMSE_PDU_MALFORMED with the PDU, the field and the reason that the A-ABORT carries (PS3.8 Table 9-26).
 */
import { LetheError } from '../core/errors.ts';
import { ABORT_REASON } from './pdu.ts';

export class FieldReader {
  readonly #pdu: string;
  readonly #bytes: Uint8Array;
  // 0 ≤ #position ≤ #bytes.length
  #position = 0;

  constructor(pdu: string, bytes: Uint8Array) {
    this.#pdu = pdu;
    this.#bytes = bytes;
  }

  get finished(): boolean {
    return this.#position >= this.#bytes.length;
  }

  uint8(field: string): number {
    return this.bytes(1, field)[0] ?? 0;
  }

  uint16(field: string): number {
    const bytes = this.bytes(2, field);
    return ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0);
  }

  uint32(field: string): number {
    return this.uint16(field) * 0x10000 + this.uint16(field);
  }

  /** A view of the next `count` bytes. */
  bytes(count: number, field: string): Uint8Array {
    const end = this.#position + count;
    if (end > this.#bytes.length) throw malformed(this.#pdu, field, ABORT_REASON.invalidParameterValue, this.#position);
    const bytes = this.#bytes.subarray(this.#position, end);
    this.#position = end;
    return bytes;
  }

  /** ISO 646 text of `count` bytes without padding; Tolerance: trailing NUL, as UIDs in data sets have it. */
  text(count: number, field: string): string {
    return asciiOf(this.bytes(count, field));
  }

  rest(field: string): Uint8Array {
    return this.bytes(this.#bytes.length - this.#position, field);
  }

  skip(count: number, field: string): void {
    this.bytes(count, field);
  }

  /** Item-type, reserved byte, Item-length (16 bits) and a reader of the item's own bytes. */
  item(field: string): { type: number; body: FieldReader } {
    const type = this.uint8(field);
    this.skip(1, field);
    const length = this.uint16(field);
    return { type, body: new FieldReader(this.#pdu, this.bytes(length, field)) };
  }
}

/** Leading and trailing spaces and NULs are not significant in AE titles and UIDs. */
export function asciiOf(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text.replace(/^[ \0]+|[ \0]+$/g, '');
}

export function malformed(pdu: string, field: string, abortReason: number, offset?: number): LetheError {
  return new LetheError('DIMSE_PDU_MALFORMED', { pdu, field, offset, abortReason });
}
