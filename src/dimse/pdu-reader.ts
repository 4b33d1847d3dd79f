/**
 * Bytes in, protocol data units out (PS3.8 §9.3). `push` bytes as they come, then call `next` until it answers
 * `undefined`, which means "more bytes needed". P-DATA-TF PDUs are not collected: their PDVs come out as slices of the
 * pushed bytes, uncopied, so memory does not grow with a PDU. Every other PDU is small, bounded by
 * `controlPduBytesMax`, and parsed when whole.
 *
 * Wrong bytes throw DIMSE_PDU_MALFORMED or DIMSE_PDU_TOO_LONG, whose detail names the PDU type, the field and, as
 * `abortReason`, the reason of the A-ABORT that answers them (PS3.8 Table 9-26). After a throw the reader is spent.
 *
 * Public: `PduReader`, `abortReasonOf`.
 */
import { LetheError } from '../core/errors.ts';
import { ABORT_REASON, type ControlPdu, PDU_TYPE, type PduToken } from './pdu.ts';
import { parseAssociateAc, parseAssociateRq } from './pdu-associate.ts';
import { malformed } from './pdu-field.ts';

/** PDU-type, reserved, PDU-length. */
const PDU_HEADER_BYTES = 6;
/** Item-length, presentation-context-ID, message control header. */
const PDV_HEADER_BYTES = 6;
const EMPTY = new Uint8Array(0);
const CHUNKS_MAX = 256;

/**
 * Tolerance: some senders count the received maximum as the length of a PDV's data and add its header, or the PDU's.
 * The slices cost no memory, so a few bytes over do no harm.
 */
const LENGTH_TOLERANCE_BYTES = 12;

export interface PduReaderOptions {
  /** The maximum length this side announced for P-DATA-TF variable fields; 0 is unlimited (PS3.8 §D.1). */
  readonly maxPduLengthBytes: number;
  /** Bound for PDUs that are collected whole; a large A-ASSOCIATE-RQ has some ten thousand bytes. */
  readonly controlPduBytesMax?: number;
}

/** A request proposes at most 128 contexts; with long transfer syntax lists and a SAML assertion this is ample. */
const CONTROL_PDU_BYTES_MAX = 512 * 1024;

interface OpenPdv {
  readonly contextId: number;
  readonly command: boolean;
  readonly last: boolean;
  // 0 ≤ remaining
  remaining: number;
}

export class PduReader {
  readonly #maxPduLengthBytes: number;
  readonly #controlPduBytesMax: number;
  #chunks: Uint8Array[] = [];
  // Position in #chunks[0]; 0 ≤ #position ≤ #chunks[0].length
  #position = 0;
  #buffered = 0;
  /** Bytes of the current P-DATA-TF variable field not yet taken; undefined outside one. */
  #dataRemaining: number | undefined;
  #pdv: OpenPdv | undefined;

  constructor(options: PduReaderOptions) {
    this.#maxPduLengthBytes = options.maxPduLengthBytes;
    this.#controlPduBytesMax = options.controlPduBytesMax ?? CONTROL_PDU_BYTES_MAX;
  }

  /** The bytes are kept by reference until they have been taken or `keepOwn` is called: the caller does not change them. */
  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#chunks.push(bytes);
    this.#buffered += bytes.length;
    // A PDU that is collected may come byte by byte: joined now and then, it costs what its bytes cost and no more.
    if (this.#chunks.length > CHUNKS_MAX) {
      this.#chunks = [this.#peek(this.#buffered) ?? EMPTY];
      this.#position = 0;
    }
  }

  /** Copies what it still holds of the bytes pushed last: from now on they are the caller's again. */
  keepOwn(): void {
    const last = this.#chunks.length - 1;
    const chunk = this.#chunks[last];
    if (chunk === undefined) return;
    this.#chunks[last] = last === 0 ? chunk.slice(this.#position) : chunk.slice();
    if (last === 0) this.#position = 0;
  }

  /** True while a PDU has begun and is not complete. */
  get insidePdu(): boolean {
    return this.#buffered > 0 || this.#dataRemaining !== undefined;
  }

  /** @throws DIMSE_PDU_MALFORMED, DIMSE_PDU_TOO_LONG */
  next(): PduToken | undefined {
    if (this.#pdv !== undefined) return this.#pdvSlice(this.#pdv);
    if (this.#dataRemaining !== undefined) {
      if (this.#dataRemaining > 0) return this.#pdvStart(this.#dataRemaining);
      this.#dataRemaining = undefined;
    }
    return this.#pduStart();
  }

  #pduStart(): PduToken | undefined {
    const header = this.#peek(PDU_HEADER_BYTES);
    if (header === undefined) return undefined;
    const type = byteAt(header, 0); // 1 PDU-type
    const length = uint32At(header, 2); // 3-6 PDU-length
    if (type === PDU_TYPE['P-DATA-TF']) {
      this.#checkDataLength(length);
      this.#skip(PDU_HEADER_BYTES);
      this.#dataRemaining = length;
      return { type: 'P-DATA-TF', length };
    }
    checkControlLength(type, length, this.#controlPduBytesMax);
    const pdu = this.#peek(PDU_HEADER_BYTES + length);
    if (pdu === undefined) return undefined;
    this.#skip(PDU_HEADER_BYTES + length);
    return parseControlPdu(type, pdu.subarray(PDU_HEADER_BYTES));
  }

  #checkDataLength(length: number): void {
    // A P-DATA-TF PDU holds one or more PDVs (PS3.8 §9.3.5), each with its header.
    if (length < PDV_HEADER_BYTES) throw malformed('P-DATA-TF', 'PDU-length', ABORT_REASON.invalidParameterValue);
    const max = this.#maxPduLengthBytes;
    if (max === 0 || length <= max + LENGTH_TOLERANCE_BYTES) return;
    throw new LetheError('DIMSE_PDU_TOO_LONG', { length, max, abortReason: ABORT_REASON.invalidParameterValue });
  }

  #pdvStart(remaining: number): PduToken | undefined {
    if (remaining < PDV_HEADER_BYTES) throw malformed('P-DATA-TF', 'PDV', ABORT_REASON.invalidParameterValue);
    const header = this.#peek(PDV_HEADER_BYTES);
    if (header === undefined) return undefined;
    const itemLength = uint32At(header, 0); // 1-4 Item-length: the context ID and all that follows
    if (itemLength < 2 || itemLength > remaining - 4) {
      throw malformed('P-DATA-TF', 'PDV Item-length', ABORT_REASON.invalidParameterValue);
    }
    const control = byteAt(header, 5); // message control header, PS3.8 §E.2
    this.#skip(PDV_HEADER_BYTES);
    this.#dataRemaining = remaining - PDV_HEADER_BYTES;
    this.#pdv = {
      contextId: byteAt(header, 4), // 5 Presentation-context-ID
      command: (control & 1) !== 0,
      last: (control & 2) !== 0,
      remaining: itemLength - 2,
    };
    return this.#pdvSlice(this.#pdv);
  }

  #pdvSlice(pdv: OpenPdv): PduToken | undefined {
    const bytes = this.#take(pdv.remaining);
    if (bytes.length === 0 && pdv.remaining > 0) return undefined;
    pdv.remaining -= bytes.length;
    if (this.#dataRemaining !== undefined) this.#dataRemaining -= bytes.length;
    const end = pdv.remaining === 0;
    if (end) this.#pdv = undefined;
    return { type: 'pdv', contextId: pdv.contextId, command: pdv.command, last: pdv.last, end, bytes };
  }

  /** Up to `count` bytes out of the first chunk, uncopied. */
  #take(count: number): Uint8Array {
    const chunk = this.#chunks[0];
    if (chunk === undefined || count === 0) return EMPTY;
    const bytes = chunk.subarray(this.#position, Math.min(chunk.length, this.#position + count));
    this.#skip(bytes.length);
    return bytes;
  }

  /** `count` contiguous bytes that stay buffered, or undefined when there are fewer. */
  #peek(count: number): Uint8Array | undefined {
    if (this.#buffered < count) return undefined;
    const first = this.#chunks[0] ?? EMPTY;
    if (first.length - this.#position >= count) return first.subarray(this.#position, this.#position + count);
    const joined = new Uint8Array(count);
    let filled = 0;
    let position = this.#position;
    for (const chunk of this.#chunks) {
      const part = chunk.subarray(position, position + count - filled);
      joined.set(part, filled);
      filled += part.length;
      position = 0;
      if (filled === count) break;
    }
    return joined;
  }

  #skip(count: number): void {
    this.#buffered -= count;
    let left = count;
    while (left > 0) {
      const chunk = this.#chunks[0] ?? EMPTY;
      const available = chunk.length - this.#position;
      if (left < available) {
        this.#position += left;
        return;
      }
      left -= available;
      this.#chunks.shift();
      this.#position = 0;
    }
  }
}

/** The A-ABORT reason (PS3.8 Table 9-26) that an error of this reader asks for. */
export function abortReasonOf(error: LetheError): number {
  const reason = error.detail['abortReason'];
  return typeof reason === 'number' ? reason : ABORT_REASON.unspecified;
}

/** A-ASSOCIATE-RJ, A-RELEASE-RQ, A-RELEASE-RP and A-ABORT have a variable field of 4 bytes (PS3.8 §9.3.4, 9.3.6-8). */
const FIXED_LENGTH = 4;
/** Fixed fields of A-ASSOCIATE-RQ and -AC before the variable items (PS3.8 Tables 9-11 and 9-17). */
const ASSOCIATE_FIXED_BYTES = 68;

function checkControlLength(type: number, length: number, max: number): void {
  switch (type) {
    case PDU_TYPE['A-ASSOCIATE-RQ']:
    case PDU_TYPE['A-ASSOCIATE-AC']:
      if (length < ASSOCIATE_FIXED_BYTES)
        throw malformed(typeName(type), 'PDU-length', ABORT_REASON.invalidParameterValue);
      if (length > max)
        throw new LetheError('DIMSE_PDU_TOO_LONG', { length, max, abortReason: ABORT_REASON.invalidParameterValue });
      return;
    case PDU_TYPE['A-ASSOCIATE-RJ']:
    case PDU_TYPE['A-RELEASE-RQ']:
    case PDU_TYPE['A-RELEASE-RP']:
    case PDU_TYPE['A-ABORT']:
      if (length !== FIXED_LENGTH) throw malformed(typeName(type), 'PDU-length', ABORT_REASON.invalidParameterValue);
      return;
    default:
      throw malformed(`0x${type.toString(16)}`, 'PDU-type', ABORT_REASON.unrecognizedPdu);
  }
}

/** `body` is the variable field: byte 7 of the PDU is body[0]. */
function parseControlPdu(type: number, body: Uint8Array): ControlPdu {
  switch (type) {
    case PDU_TYPE['A-ASSOCIATE-RQ']:
      return parseAssociateRq(body);
    case PDU_TYPE['A-ASSOCIATE-AC']:
      return parseAssociateAc(body);
    case PDU_TYPE['A-ASSOCIATE-RJ']:
      // 8 Result, 9 Source, 10 Reason/Diag.
      return { type: 'A-ASSOCIATE-RJ', result: byteAt(body, 1), source: byteAt(body, 2), reason: byteAt(body, 3) };
    case PDU_TYPE['A-RELEASE-RQ']:
      return { type: 'A-RELEASE-RQ' };
    case PDU_TYPE['A-RELEASE-RP']:
      return { type: 'A-RELEASE-RP' };
    default:
      // 9 Source, 10 Reason/Diag.
      return { type: 'A-ABORT', source: byteAt(body, 2), reason: byteAt(body, 3) };
  }
}

function typeName(type: number): string {
  return Object.entries(PDU_TYPE).find(([, value]) => value === type)?.[0] ?? 'unknown';
}

function byteAt(bytes: Uint8Array, position: number): number {
  return bytes[position] ?? 0;
}

function uint32At(bytes: Uint8Array, position: number): number {
  return (
    byteAt(bytes, position) * 0x1000000 +
    ((byteAt(bytes, position + 1) << 16) | (byteAt(bytes, position + 2) << 8) | byteAt(bytes, position + 3))
  );
}
