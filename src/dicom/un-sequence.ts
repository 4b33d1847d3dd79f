/**
 * Sequences that hide in UN of defined length, PS3.5 §6.2.2: a node that did not know an element's VR passed on an
 * Implicit VR Little Endian sequence as bytes. The tokenizer keeps them as bytes, since nothing in the stream says
 * what they are; whoever must look into every sequence asks here.
 */
import { bytesSource } from '../core/bytes.ts';
import { LetheError } from '../core/errors.ts';
import type { DataSet } from './data-set.ts';
import { readDataSet } from './data-set-reader.ts';
import type { Tag } from './tag.ts';

const ITEM = [0xfe, 0xff, 0x00, 0xe0];
const SEQUENCE_END = [0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0];
const HEADER_BYTES = 12;
const EXPLICIT_LITTLE = { explicitVr: true, littleEndian: true };

/** True where the bytes begin as the items of a sequence do: then they are one, or something is wrong with them. */
export function looksLikeItems(value: Uint8Array): boolean {
  return value.length >= 8 && ITEM.every((byte, index) => value[index] === byte);
}

/**
 * The items, or undefined where the bytes are no sequence from beginning to end. Tolerance: Explicit VR inside, which
 * §6.2.2 does not allow, is tried second. Values are all in memory; offsets
 * mean nothing here.
 */
export function itemsInUn(tag: Tag, value: Uint8Array): readonly DataSet[] | undefined {
  if (!looksLikeItems(value)) return undefined;
  return itemsAs('UN', tag, value) ?? itemsAs('SQ', tag, value);
}

/**
 * The value as an element of undefined length in Explicit VR Little Endian, for whoever wants tokens: `UN` has
 * Implicit VR inside, `SQ` Explicit VR. The bytes that the tokenizer wants first, and last.
 */
export function sequenceAround(vr: 'UN' | 'SQ', tag: Tag): { before: Uint8Array; after: Uint8Array } {
  const before = new Uint8Array(HEADER_BYTES).fill(0xff, 8);
  const view = new DataView(before.buffer);
  view.setUint16(0, tag >>> 16, true);
  view.setUint16(2, tag & 0xffff, true);
  before[4] = vr.charCodeAt(0);
  before[5] = vr.charCodeAt(1);
  return { before, after: Uint8Array.from(SEQUENCE_END) };
}

function itemsAs(vr: 'UN' | 'SQ', tag: Tag, value: Uint8Array): readonly DataSet[] | undefined {
  const { before, after } = sequenceAround(vr, tag);
  const bytes = new Uint8Array(HEADER_BYTES + value.length + after.length);
  bytes.set(before);
  bytes.set(value, HEADER_BYTES);
  bytes.set(after, HEADER_BYTES + value.length);
  try {
    const dataSet = readDataSet(bytesSource(bytes), { ...EXPLICIT_LITTLE, wholeValueBytesMax: bytes.length });
    return [...dataSet.elements()].length === 1 ? dataSet.items(tag) : undefined;
  } catch (error) {
    if (error instanceof LetheError && error.row.blame === 'peer') return undefined;
    throw error;
  }
}
