/**
 * Palette Color Lookup Tables (PS3.3 §C.7.6.3.1.5, §C.7.6.3.1.6), segmented ones too (§C.7.9.2), as 8-bit tables.
 */
import type { ByteSource } from '../core/bytes.ts';
import { LetheError } from '../core/errors.ts';
import type { DataSet } from '../dicom/data-set.ts';
import type { Tag } from '../dicom/tag.ts';
import { swapBytes, words16 } from './byte-order.ts';
import { type DecodedFrame, storedValue } from './decoded-frame.ts';
import { type LookUpTable, type LutDescriptor, lookUp, readDescriptor, readEntries } from './lut.ts';
import { TAGS } from './tags.ts';
import { wholeValue } from './value-bytes.ts';

export interface Palette {
  readonly red: LookUpTable;
  readonly green: LookUpTable;
  readonly blue: LookUpTable;
}

/** @throws IMAGING_DESCRIPTION_INVALID where a table is missing or short */
export function readPalette(source: ByteSource, dataSet: DataSet, signed: boolean): Palette {
  const read = (descriptorTag: Tag, dataTag: Tag, segmentedTag: Tag): LookUpTable => {
    const descriptor = readDescriptor(dataSet, descriptorTag, signed);
    if (dataSet.has(dataTag) || !dataSet.has(segmentedTag))
      return to8Bits(readEntries(source, dataSet, dataTag, descriptor));
    return to8Bits(expandSegments(source, dataSet, segmentedTag, descriptor));
  };
  return {
    red: read(
      TAGS.RedPaletteColorLookupTableDescriptor,
      TAGS.RedPaletteColorLookupTableData,
      TAGS.SegmentedRedPaletteColorLookupTableData,
    ),
    green: read(
      TAGS.GreenPaletteColorLookupTableDescriptor,
      TAGS.GreenPaletteColorLookupTableData,
      TAGS.SegmentedGreenPaletteColorLookupTableData,
    ),
    blue: read(
      TAGS.BluePaletteColorLookupTableDescriptor,
      TAGS.BluePaletteColorLookupTableData,
      TAGS.SegmentedBluePaletteColorLookupTableData,
    ),
  };
}

/** Indices to RGB, 8 bits a sample. */
export function applyPalette(frame: DecodedFrame, palette: Palette): Uint8Array {
  const { samples } = frame;
  const rgb = new Uint8Array(samples.length * 3);
  const distinct = 2 ** frame.bitsStored;
  // One packed number an index: a pixel costs one look-up, whatever sign, shift and first value are.
  const table = new Uint32Array(distinct);
  for (let bits = 0; bits < distinct; bits++) {
    const index = storedValue(bits << frame.shift, frame);
    table[bits] =
      (lookUp(palette.red, index) << 16) | (lookUp(palette.green, index) << 8) | lookUp(palette.blue, index);
  }
  for (let pixel = 0, at = 0; pixel < samples.length; pixel++) {
    const colour = table[((samples[pixel] ?? 0) >>> frame.shift) & (distinct - 1)] ?? 0;
    rgb[at++] = colour >>> 16;
    rgb[at++] = (colour >>> 8) & 0xff;
    rgb[at++] = colour & 0xff;
  }
  return rgb;
}

function to8Bits(table: LookUpTable): LookUpTable {
  const { entries, first } = table;
  if (entries instanceof Uint8Array) return table;
  // Tolerance: tables that say 16 bits and hold 8-bit values, which shown as they are would be black (test: palette).
  const wide = table.bits > 8 && entries.some((entry) => entry > 255);
  const shift = wide ? table.bits - 8 : 0;
  return { first, bits: 8, entries: Uint8Array.from(entries, (entry) => Math.min(255, entry >>> shift)) };
}

const SEGMENT = { discrete: 0, linear: 1, indirect: 2 } as const;

/** PS3.3 §C.7.9.2: discrete, linear and indirect segments; indirect ones may not point to indirect ones. */
function expandSegments(source: ByteSource, dataSet: DataSet, tag: Tag, descriptor: LutDescriptor): LookUpTable {
  const bytes = wholeValue(source, dataSet, tag) ?? new Uint8Array();
  const words = words16(dataSet.littleEndian ? bytes : swapBytes(bytes, 2));
  const entries = new Uint16Array(descriptor.count);
  let filled = 0;
  const put = (value: number): void => {
    if (filled >= entries.length) throw invalidSegments('too many entries', descriptor);
    entries[filled++] = value;
  };
  const run = (from: number, segments: number, nested: boolean): void => {
    let at = from;
    for (let done = 0; done < segments && at + 2 <= words.length; done++) {
      const opcode = words[at] ?? -1;
      const length = words[at + 1] ?? 0;
      if (opcode === SEGMENT.discrete) {
        if (at + 2 + length > words.length) throw invalidSegments('a discrete segment ends outside', descriptor);
        for (let index = 0; index < length; index++) put(words[at + 2 + index] ?? 0);
        at += 2 + length;
      } else if (opcode === SEGMENT.linear) {
        if (filled === 0) throw invalidSegments('a linear segment has nothing to start from', descriptor);
        const start = entries[filled - 1] ?? 0;
        const end = words[at + 2] ?? 0;
        for (let index = 1; index <= length; index++) put(Math.round(start + ((end - start) * index) / length));
        at += 3;
      } else if (opcode === SEGMENT.indirect && !nested) {
        run(((words[at + 3] ?? 0) * 65536 + (words[at + 2] ?? 0)) / 2, length, true);
        at += 4;
      } else throw invalidSegments('a segment of unknown type', descriptor);
    }
  };
  run(0, Number.POSITIVE_INFINITY, false);
  if (filled < entries.length) throw invalidSegments('too few entries', descriptor);
  return { first: descriptor.first, entries, bits: descriptor.bits };
}

function invalidSegments(what: string, { count }: LutDescriptor): LetheError {
  return new LetheError('IMAGING_DESCRIPTION_INVALID', { attribute: 'segmented palette', what, entries: count });
}
