/**
 * Command sets: PS3.7 §6.3 and Annex E.1. Always Implicit VR Little Endian, group 0000, elements in order, small. Bytes
 * in, values out; an element that this project does not use is passed over, one that is broken is refused.
 *
 * Public: `CommandSet`, `COMMAND`, `STATUS`, `parseCommand`, `writeCommand`, `hasDataSet`, `responseTo`.
 */
import { LetheError } from '../core/errors.ts';

/** Command Field (0000,0100), PS3.7 Table E.1-1. */
export const COMMAND = {
  'C-STORE-RQ': 0x0001,
  'C-STORE-RSP': 0x8001,
  'C-GET-RQ': 0x0010,
  'C-GET-RSP': 0x8010,
  'C-FIND-RQ': 0x0020,
  'C-FIND-RSP': 0x8020,
  'C-MOVE-RQ': 0x0021,
  'C-MOVE-RSP': 0x8021,
  'C-ECHO-RQ': 0x0030,
  'C-ECHO-RSP': 0x8030,
  'C-CANCEL-RQ': 0x0fff,
  'N-EVENT-REPORT-RQ': 0x0100,
  'N-EVENT-REPORT-RSP': 0x8100,
  'N-ACTION-RQ': 0x0130,
  'N-ACTION-RSP': 0x8130,
} as const;

/** PS3.7 Annex C and PS3.4 Table B.2-1. */
export const STATUS = {
  success: 0x0000,
  coercion: 0xb000,
  dataSetDoesNotMatchWarning: 0xb007,
  processingFailure: 0x0110,
  duplicateSopInstance: 0x0111,
  noSuchObjectInstance: 0x0112,
  invalidArgument: 0x0115,
  invalidSopInstance: 0x0117,
  sopClassNotSupported: 0x0122,
  noSuchActionType: 0x0123,
  notAuthorized: 0x0124,
  duplicateInvocation: 0x0210,
  unrecognizedOperation: 0x0211,
  mistypedArgument: 0x0212,
  resourceLimitation: 0x0213,
  outOfResources: 0xa700,
  dataSetDoesNotMatch: 0xa900,
  cannotUnderstand: 0xc000,
} as const;

export interface CommandSet {
  readonly commandField: number;
  readonly messageId?: number;
  readonly messageIdBeingRespondedTo?: number;
  readonly affectedSopClassUid?: string;
  readonly requestedSopClassUid?: string;
  readonly affectedSopInstanceUid?: string;
  readonly requestedSopInstanceUid?: string;
  /** 0 medium, 1 high, 2 low (PS3.7 §9.3.1.1). */
  readonly priority?: number;
  /** Command Data Set Type (0000,0800): 0101H means that no data set follows. */
  readonly dataSetType: number;
  readonly status?: number;
  readonly offendingElements?: readonly number[];
  /** At most 64 characters (LO). */
  readonly errorComment?: string;
  readonly eventTypeId?: number;
  readonly actionTypeId?: number;
  readonly moveOriginatorAeTitle?: string;
  readonly moveOriginatorMessageId?: number;
  readonly moveDestination?: string;
  /** Sub-operations of C-GET and C-MOVE (PS3.7 §9.1.3.1, §9.1.4.1). */
  readonly remainingSubOperations?: number;
  readonly completedSubOperations?: number;
  readonly failedSubOperations?: number;
  readonly warningSubOperations?: number;
}

export const NO_DATA_SET = 0x0101;
const WITH_DATA_SET = 0x0001;
/** What a command set may be long; real ones have some two hundred bytes. */
export const COMMAND_BYTES_MAX = 64 * 1024;
const ERROR_COMMENT_CHARACTERS_MAX = 64;

type Kind = 'UI' | 'US' | 'LO' | 'AE' | 'AT';

/** Element number in group 0000, value, name: in the order they are written (PS3.7 Table E.1-1). */
const FIELDS: readonly (readonly [number, Kind, keyof CommandSet])[] = [
  [0x0002, 'UI', 'affectedSopClassUid'],
  [0x0003, 'UI', 'requestedSopClassUid'],
  [0x0100, 'US', 'commandField'],
  [0x0110, 'US', 'messageId'],
  [0x0120, 'US', 'messageIdBeingRespondedTo'],
  [0x0600, 'AE', 'moveDestination'],
  [0x0700, 'US', 'priority'],
  [0x0800, 'US', 'dataSetType'],
  [0x0900, 'US', 'status'],
  [0x0901, 'AT', 'offendingElements'],
  [0x0902, 'LO', 'errorComment'],
  [0x1000, 'UI', 'affectedSopInstanceUid'],
  [0x1001, 'UI', 'requestedSopInstanceUid'],
  [0x1002, 'US', 'eventTypeId'],
  [0x1008, 'US', 'actionTypeId'],
  [0x1020, 'US', 'remainingSubOperations'],
  [0x1021, 'US', 'completedSubOperations'],
  [0x1022, 'US', 'failedSubOperations'],
  [0x1023, 'US', 'warningSubOperations'],
  [0x1030, 'AE', 'moveOriginatorAeTitle'],
  [0x1031, 'US', 'moveOriginatorMessageId'],
];
const BY_ELEMENT = new Map(FIELDS.map(([element, kind, name]) => [element, { kind, name }]));
const ELEMENT_HEADER_BYTES = 8;

export function hasDataSet(command: CommandSet): boolean {
  return command.dataSetType !== NO_DATA_SET;
}

/** @throws DIMSE_COMMAND_MALFORMED */
export function parseCommand(bytes: Uint8Array): CommandSet {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: Record<string, unknown> = {};
  let position = 0;
  while (position < bytes.length) {
    if (bytes.length - position < ELEMENT_HEADER_BYTES) throw malformed(position, 'header');
    const group = view.getUint16(position, true);
    const element = view.getUint16(position + 2, true);
    const length = view.getUint32(position + 4, true);
    const start = position + ELEMENT_HEADER_BYTES;
    if (group !== 0) throw malformed(position, 'group');
    if (length > bytes.length - start) throw malformed(position, 'length');
    const field = BY_ELEMENT.get(element);
    if (field !== undefined)
      found[field.name] = parseValue(field.kind, bytes.subarray(start, start + length), position);
    position = start + length;
  }
  if (typeof found['commandField'] !== 'number' || typeof found['dataSetType'] !== 'number')
    throw malformed(0, 'required');
  return found as unknown as CommandSet;
}

function parseValue(kind: Kind, value: Uint8Array, offset: number): string | number | number[] | undefined {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  switch (kind) {
    case 'US':
      if (value.length === 0) return undefined;
      if (value.length !== 2) throw malformed(offset, 'US');
      return view.getUint16(0, true);
    case 'AT':
      if (value.length % 4 !== 0) throw malformed(offset, 'AT');
      return Array.from(
        { length: value.length / 4 },
        (_, index) => ((view.getUint16(index * 4, true) << 16) | view.getUint16(index * 4 + 2, true)) >>> 0,
      );
    default:
      return Buffer.from(value)
        .toString('latin1')
        .replace(/[\0 ]+$/, '')
        .replace(/^ +/, '');
  }
}

/** A whole command set with its group length. `dataSetType` is written as given. */
export function writeCommand(command: CommandSet): Uint8Array {
  const parts = FIELDS.flatMap(([element, kind, name]) => {
    const value = command[name];
    return value === undefined ? [] : [writeElement(element, writeValue(kind, value))];
  });
  const body = Buffer.concat(parts);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(body.length);
  return Buffer.concat([writeElement(0x0000, length), body]);
}

function writeElement(element: number, value: Uint8Array): Buffer {
  const header = Buffer.alloc(ELEMENT_HEADER_BYTES);
  header.writeUInt16LE(element, 2);
  header.writeUInt32LE(value.length, 4);
  return Buffer.concat([header, value]);
}

function writeValue(kind: Kind, value: string | number | readonly number[]): Buffer {
  if (kind === 'US') {
    const bytes = Buffer.alloc(2);
    bytes.writeUInt16LE(Number(value));
    return bytes;
  }
  if (kind === 'AT') {
    const tags = value as readonly number[];
    const bytes = Buffer.alloc(4 * tags.length);
    for (const [index, tag] of tags.entries()) {
      bytes.writeUInt16LE(tag >>> 16, index * 4);
      bytes.writeUInt16LE(tag & 0xffff, index * 4 + 2);
    }
    return bytes;
  }
  const text = kind === 'LO' ? String(value).slice(0, ERROR_COMMENT_CHARACTERS_MAX) : String(value);
  const padded = text.length % 2 === 0 ? text : text + (kind === 'UI' ? '\0' : ' ');
  return Buffer.from(padded, 'latin1');
}

export interface ResponseFacts {
  readonly status: number;
  readonly errorComment?: string;
  readonly offendingElements?: readonly number[];
  readonly withDataSet?: boolean;
}

/** The response to a request: same message, same SOP class and instance (PS3.7 §9.3.1.2, §9.3.5.2, §10.3). */
export function responseTo(request: CommandSet, facts: ResponseFacts): CommandSet {
  const sopClassUid = request.affectedSopClassUid ?? request.requestedSopClassUid;
  const sopInstanceUid = request.affectedSopInstanceUid ?? request.requestedSopInstanceUid;
  return {
    commandField: request.commandField | 0x8000,
    messageIdBeingRespondedTo: request.messageId ?? 0,
    dataSetType: facts.withDataSet === true ? WITH_DATA_SET : NO_DATA_SET,
    status: facts.status,
    ...(sopClassUid === undefined ? {} : { affectedSopClassUid: sopClassUid }),
    ...(sopInstanceUid === undefined ? {} : { affectedSopInstanceUid: sopInstanceUid }),
    ...(request.actionTypeId === undefined ? {} : { actionTypeId: request.actionTypeId }),
    ...(facts.errorComment === undefined ? {} : { errorComment: facts.errorComment }),
    ...(facts.offendingElements === undefined ? {} : { offendingElements: facts.offendingElements }),
  };
}

function malformed(offset: number, field: string): LetheError {
  return new LetheError('DIMSE_COMMAND_MALFORMED', { offset, field });
}
