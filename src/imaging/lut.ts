/**
 * Look-up tables of the Modality LUT, VOI LUT and Palette Color modules (PS3.3 §C.11.1.1.1, §C.11.2.1.1, §C.7.6.3.1.5):
 * descriptor (number of entries, first value mapped, bits an entry) and data. Inputs outside of the table take its
 * first or last entry.
 */
import type { ByteSource } from '../core/bytes.ts';
import { LetheError } from '../core/errors.ts';
import type { DataSet } from '../dicom/data-set.ts';
import { type Tag, tagText } from '../dicom/tag.ts';
import { swapBytes, words16 } from './byte-order.ts';
import { wholeValue } from './value-bytes.ts';

export interface LookUpTable {
  /** The stored value that the first entry is for. */
  readonly first: number;
  readonly entries: Uint8Array | Uint16Array;
  /** Bits an entry; 8 to 16 in practice. */
  readonly bits: number;
}

export interface LutDescriptor {
  // 1 ≤ count ≤ 65536
  readonly count: number;
  readonly first: number;
  readonly bits: number;
}

/**
 * Reads a descriptor. Its first number is unsigned and 0 means 65536; its second is signed where the values that go in
 * are, whatever VR the writer chose.
 * @throws IMAGING_DESCRIPTION_INVALID
 */
export function readDescriptor(dataSet: DataSet, tag: Tag, signedInput: boolean): LutDescriptor {
  const [count, first, bits] = dataSet.numbers(tag);
  if (count === undefined || first === undefined || bits === undefined) {
    throw new LetheError('IMAGING_DESCRIPTION_INVALID', {
      attribute: tagText(tag),
      what: 'missing or not three numbers',
    });
  }
  const unsignedCount = count < 0 ? count + 65536 : count;
  const signedFirst = first > 32767 ? first - 65536 : first;
  const unsignedFirst = first < 0 ? first + 65536 : first;
  return { count: unsignedCount === 0 ? 65536 : unsignedCount, first: signedInput ? signedFirst : unsignedFirst, bits };
}

/**
 * Reads the entries that a descriptor announces.
 * @throws IMAGING_DESCRIPTION_INVALID where there are fewer than announced
 */
export function readEntries(source: ByteSource, dataSet: DataSet, tag: Tag, descriptor: LutDescriptor): LookUpTable {
  const bytes = wholeValue(source, dataSet, tag);
  const { count, first, bits } = descriptor;
  if (bytes === undefined || bytes.length < count) {
    throw new LetheError('IMAGING_DESCRIPTION_INVALID', {
      attribute: tagText(tag),
      entries: count,
      bytes: bytes?.length ?? 0,
    });
  }
  const bigEndian = !dataSet.littleEndian && dataSet.element(tag)?.vr !== 'OB';
  const ordered = bigEndian ? swapBytes(bytes, 2) : bytes;
  // 8-bit entries are packed two a word, or written one a word; the length tells which (PS3.3 §C.7.6.3.1.6).
  if (bytes.length < count * 2) return { first, entries: ordered.subarray(0, count), bits: Math.min(bits, 8) };
  return { first, entries: words16(ordered).subarray(0, count), bits };
}

/** The entry for a value; tables are indexed by whole numbers, so a fraction that a rescale left is dropped. */
export function lookUp(table: LookUpTable, value: number): number {
  const index = Math.min(table.entries.length - 1, Math.max(0, Math.trunc(value) - table.first));
  return table.entries[index] ?? 0;
}
