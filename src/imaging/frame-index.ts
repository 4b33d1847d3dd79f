/**
 * Which fragments of encapsulated pixel data make which frame (PS3.5 §A.4). The Extended Offset Table, then the Basic
 * Offset Table are believed when every offset meets the start of an item; a table that does not is treated as
 * absent, because senders write wrong ones and the fragments themselves tell the truth: one fragment a frame,
 * fragments that begin a codestream, or the length of a frame that is not compressed.
 *
 * Positions are those of the part 10 source; offsets in tables count from the first byte of the first item tag that
 * follows the Basic Offset Table item (PS3.5 §A.4, PS3.3 §C.7.6.3.1.8).
 */
import { LetheError } from '../core/errors.ts';

export interface Fragment {
  readonly offset: number;
  readonly length: number;
}

export interface FragmentedPixelData {
  /** Without the Basic Offset Table item. */
  readonly fragments: readonly Fragment[];
  /** Offsets of the Basic Offset Table; empty where it is. */
  readonly basicOffsets: readonly number[];
  readonly extendedOffsets: readonly number[];
  readonly extendedLengths: readonly number[];
  /** Whether the fragment begins a codestream; undefined where the family has no mark to tell by. */
  readonly beginsFrame: ((fragment: Fragment) => boolean) | undefined;
  /** Bytes of every frame, padding not counted; undefined where frames are compressed. */
  readonly frameLength?: number | undefined;
}

const ITEM_HEADER_BYTES = 8;

/**
 * The fragments of each frame, in order.
 * @throws IMAGING_PIXEL_DATA_MISSING for fewer frames than declared, IMAGING_CODESTREAM_INVALID where the fragments
 *   cannot be told apart
 */
export function indexFrames(data: FragmentedPixelData, frames: number): readonly (readonly Fragment[])[] {
  const { fragments } = data;
  if (fragments.length === 0) throw new LetheError('IMAGING_PIXEL_DATA_MISSING', { fragments: 0, frames });
  if (frames === 1) return [soleFrame(data)];
  const index = byExtendedTable(data, frames) ?? byStarts(data, tableStarts(data, frames), frames);
  if (index !== undefined) return index;
  if (fragments.length === frames) return fragments.map((fragment) => [fragment]);
  if (fragments.length < frames) {
    throw new LetheError('IMAGING_PIXEL_DATA_MISSING', { fragments: fragments.length, frames });
  }
  const marked = byStarts(data, markedStarts(data) ?? startsByLength(data), frames);
  if (marked !== undefined) return marked;
  throw new LetheError('IMAGING_CODESTREAM_INVALID', {
    what: 'fragments cannot be assigned to frames',
    fragments: fragments.length,
    frames,
  });
}

/** One frame declared: its fragments, unless the offset table or the fragments themselves show that there are more. */
function soleFrame(data: FragmentedPixelData): readonly Fragment[] {
  const starts = markedStarts(data) ?? [];
  if (starts.length > 1 && starts.length === data.fragments.length) {
    throw new LetheError('IMAGING_DESCRIPTION_INVALID', {
      attribute: 'NumberOfFrames',
      frames: 1,
      found: starts.length,
    });
  }
  return data.fragments;
}

function byExtendedTable(data: FragmentedPixelData, frames: number): Fragment[][] | undefined {
  const { extendedOffsets, extendedLengths } = data;
  if (extendedOffsets.length !== frames || extendedLengths.length !== frames) return undefined;
  const starts = fragmentsByItemOffset(data);
  const index: Fragment[][] = [];
  for (let frame = 0; frame < frames; frame++) {
    const fragment = data.fragments[starts.get(extendedOffsets[frame] ?? -1) ?? -1];
    const length = extendedLengths[frame] ?? 0;
    if (fragment === undefined || length < 1 || length > fragment.length) return undefined;
    index.push([{ offset: fragment.offset, length }]);
  }
  return index;
}

function tableStarts(data: FragmentedPixelData, frames: number): number[] | undefined {
  if (data.basicOffsets.length !== frames || data.basicOffsets[0] !== 0) return undefined;
  const byOffset = fragmentsByItemOffset(data);
  const starts: number[] = [];
  for (const offset of data.basicOffsets) {
    const start = byOffset.get(offset);
    if (start === undefined || start <= (starts.at(-1) ?? -1)) return undefined;
    // A table that points into the middle of a frame is as wrong as one that points outside.
    const fragment = data.fragments[start];
    if (fragment === undefined || data.beginsFrame?.(fragment) === false) return undefined;
    starts.push(start);
  }
  return starts;
}

function markedStarts(data: FragmentedPixelData): number[] | undefined {
  const { beginsFrame } = data;
  if (beginsFrame === undefined) return undefined;
  const starts: number[] = [];
  for (const [index, fragment] of data.fragments.entries()) if (beginsFrame(fragment)) starts.push(index);
  return starts;
}

/** A frame is over when its bytes are there; what follows is another one. */
function startsByLength({ fragments, frameLength }: FragmentedPixelData): number[] | undefined {
  if (frameLength === undefined) return undefined;
  const starts: number[] = [];
  let filled = frameLength;
  for (const [index, { length }] of fragments.entries()) {
    if (filled >= frameLength) {
      // More than the byte that makes the length even: the fragments do not keep to frames.
      if (filled > frameLength + 1) return undefined;
      starts.push(index);
      filled = 0;
    }
    filled += length;
  }
  return starts;
}

function byStarts(
  data: FragmentedPixelData,
  starts: readonly number[] | undefined,
  frames: number,
): Fragment[][] | undefined {
  if (starts === undefined || starts.length !== frames || starts[0] !== 0) return undefined;
  return starts.map((start, frame) => data.fragments.slice(start, starts[frame + 1]));
}

function fragmentsByItemOffset(data: FragmentedPixelData): Map<number, number> {
  const base = (data.fragments[0]?.offset ?? 0) - ITEM_HEADER_BYTES;
  return new Map(data.fragments.map((fragment, index) => [fragment.offset - ITEM_HEADER_BYTES - base, index]));
}
