/**
 * Upper-layer PDUs and command sets for tests, written straight from PS3.8 §9.3, PS3.7 Annex D.3.3 and §6.3.1. On purpose
 * it shares nothing with src/dimse, so that the reader and the writer are tested by something else.
 *
 *   associateRq({ contexts: [[1, CT_IMAGE_STORAGE, [EXPLICIT_LITTLE]]] })
 *   pData([{ id: 1, command: true, last: true, data: commandSet([[0x0100, 'US', 0x0030], ...]) }])
 */

export type Bytes = Uint8Array;

export function u8(...values: number[]): Buffer {
  return Buffer.from(values);
}

export function u16(value: number): Buffer {
  return Buffer.from([(value >>> 8) & 0xff, value & 0xff]);
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function ascii(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/** PDU-type, reserved, PDU-length, variable field. */
export function pdu(type: number, ...body: Bytes[]): Buffer {
  const field = Buffer.concat(body);
  return Buffer.concat([u8(type, 0), u32(field.length), field]);
}

/** Item-type, reserved, Item-length, the item's bytes. */
export function item(type: number, ...body: Bytes[]): Buffer {
  const field = Buffer.concat(body);
  return Buffer.concat([u8(type, 0), u16(field.length), field]);
}

/** A 16-bit length and the bytes it counts. */
export function counted(bytes: Bytes): Buffer {
  return Buffer.concat([u16(bytes.length), bytes]);
}

export type BuildContext = readonly [id: number, abstractSyntax: string, transferSyntaxes: readonly string[]];

export interface BuildAssociate {
  readonly protocolVersion?: number;
  readonly called?: string;
  readonly calling?: string;
  readonly applicationContext?: string;
  readonly contexts?: readonly BuildContext[];
  readonly maxLength?: number;
  /** Further items of the user information. */
  readonly user?: readonly Bytes[];
}

/** PS3.8 Table 9-11. */
export function associateRq(options: BuildAssociate = {}): Buffer {
  const contexts = options.contexts ?? [[1, VERIFICATION, [IMPLICIT_LITTLE]]];
  return pdu(
    0x01,
    u16(options.protocolVersion ?? 1),
    u16(0),
    ascii((options.called ?? 'LETHE').padEnd(16)),
    ascii((options.calling ?? 'PEER').padEnd(16)),
    Buffer.alloc(32),
    item(0x10, ascii(options.applicationContext ?? '1.2.840.10008.3.1.1.1')),
    ...contexts.map(([id, abstractSyntax, transferSyntaxes]) =>
      item(
        0x20,
        u8(id, 0, 0, 0),
        item(0x30, ascii(abstractSyntax)),
        ...transferSyntaxes.map((uid) => item(0x40, ascii(uid))),
      ),
    ),
    item(
      0x50,
      item(0x51, u32(options.maxLength ?? 16384)),
      item(0x52, ascii('1.2.3.4')),
      ...(options.user ?? []),
      item(0x55, ascii('BUILDER')),
    ),
  );
}

/** PS3.8 Table 9-17: each context's id, result and transfer syntax. */
export function associateAc(contexts: readonly (readonly [number, number, string])[], user: Bytes[] = []): Buffer {
  return pdu(
    0x02,
    u16(1),
    u16(0),
    ascii('LETHE'.padEnd(16)),
    ascii('PEER'.padEnd(16)),
    Buffer.alloc(32),
    item(0x10, ascii('1.2.840.10008.3.1.1.1')),
    ...contexts.map(([id, result, uid]) => item(0x21, u8(id, 0, result, 0), item(0x40, ascii(uid)))),
    item(0x50, item(0x51, u32(16384)), item(0x52, ascii('1.2.3.4')), ...user),
  );
}

export const associateRj = (result: number, source: number, reason: number) => pdu(0x03, u8(0, result, source, reason));
export const releaseRq = () => pdu(0x05, u32(0));
export const releaseRp = () => pdu(0x06, u32(0));
export const abortPdu = (source: number, reason: number) => pdu(0x07, u8(0, 0, source, reason));

export interface BuildPdv {
  readonly id: number;
  readonly command: boolean;
  readonly last: boolean;
  readonly data: Bytes;
}

/** Item-length, Presentation-context-ID, message control header, data (PS3.8 §9.3.5.1, §E.2). */
export function pdv({ id, command, last, data }: BuildPdv): Buffer {
  return Buffer.concat([u32(data.length + 2), u8(id, (command ? 1 : 0) | (last ? 2 : 0)), data]);
}

export function pData(pdvs: readonly BuildPdv[]): Buffer {
  return pdu(0x04, ...pdvs.map(pdv));
}

export type CommandElement = readonly [
  element: number,
  vr: 'UI' | 'US' | 'UL' | 'AE' | 'LO' | 'AT',
  value: string | number,
];

/** Implicit VR Little Endian, group 0000, with its group length (PS3.7 §6.3.1). */
export function commandSet(elements: readonly CommandElement[]): Buffer {
  const body = Buffer.concat(elements.map(([element, vr, value]) => commandElement(element, commandValue(vr, value))));
  return Buffer.concat([commandElement(0x0000, commandValue('UL', body.length)), body]);
}

export function commandElement(element: number, value: Bytes): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt16LE(element, 2);
  header.writeUInt32LE(value.length, 4);
  return Buffer.concat([header, value]);
}

function commandValue(vr: CommandElement[1], value: string | number): Buffer {
  if (typeof value === 'string') return ascii(value.length % 2 === 0 ? value : value + (vr === 'UI' ? '\0' : ' '));
  const bytes = Buffer.alloc(vr === 'US' ? 2 : 4);
  if (vr === 'US') bytes.writeUInt16LE(value);
  else if (vr === 'UL') bytes.writeUInt32LE(value);
  else {
    bytes.writeUInt16LE(value >>> 16, 0);
    bytes.writeUInt16LE(value & 0xffff, 2);
  }
  return bytes;
}

export const VERIFICATION = '1.2.840.10008.1.1';
export const CT_IMAGE_STORAGE = '1.2.840.10008.5.1.4.1.1.2';
export const IMPLICIT_LITTLE = '1.2.840.10008.1.2';
export const EXPLICIT_LITTLE = '1.2.840.10008.1.2.1';
export const JPEG_BASELINE = '1.2.840.10008.1.2.4.50';

export function echoRq(messageId: number): Buffer {
  return commandSet([
    [0x0002, 'UI', VERIFICATION],
    [0x0100, 'US', 0x0030],
    [0x0110, 'US', messageId],
    [0x0800, 'US', 0x0101],
  ]);
}

export interface BuildStore {
  readonly messageId: number;
  readonly sopInstanceUid: string;
  readonly sopClassUid?: string;
  readonly priority?: number;
  readonly dataSetType?: number;
  readonly further?: readonly CommandElement[];
}

export function storeRq(options: BuildStore): Buffer {
  return commandSet([
    [0x0002, 'UI', options.sopClassUid ?? CT_IMAGE_STORAGE],
    [0x0100, 'US', 0x0001],
    [0x0110, 'US', options.messageId],
    [0x0700, 'US', options.priority ?? 0],
    [0x0800, 'US', options.dataSetType ?? 0x0001],
    [0x1000, 'UI', options.sopInstanceUid],
    ...(options.further ?? []),
  ]);
}

/** Every byte field as a Buffer, so that equality looks at bytes and not at classes. */
export function normal<T>(value: T): T {
  if (value instanceof Uint8Array) return Buffer.from(value) as T;
  if (Array.isArray(value)) return value.map(normal) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, normal(inner)])) as T;
}
