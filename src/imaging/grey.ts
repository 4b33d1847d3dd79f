/**
 * The grey pipeline of PS3.4 §N.2.1 to 8 bits: modality LUT, VOI LUT or window, Presentation LUT shape, composed into
 * one table that maps words of the decoded frame to bytes, so that a pixel costs one look-up and the arithmetic is
 * exact. Values of more than 16 bits are computed one by one.
 *
 * API: `new GreyRenderer(context)`, then `render8(frame, frameIndex)`; 16 bits are in `grey16.ts`.
 */
import type { ByteSource } from '../core/bytes.ts';
import { borrowScratch, giveBackScratch, SCRATCH_BYTES_MAX } from '../core/scratch.ts';
import type { DataSet } from '../dicom/data-set.ts';
import { type DecodedFrame, isFloating, storedValue } from './decoded-frame.ts';
import { defaultWindow } from './default-window.ts';
import {
  isInverted,
  type ModalityTransform,
  modalityTransformOf,
  paddingRangeOf,
  voiChoicesOf,
} from './grey-attributes.ts';
import type { ImageDescription } from './image-description.ts';
import { lookUp } from './lut.ts';
import { TAGS } from './tags.ts';
import { lutFunction, type Window, windowFunction } from './voi.ts';

export interface GreyContext {
  readonly source: ByteSource;
  readonly dataSet: DataSet;
  readonly description: ImageDescription;
  /** `auto`: the first window or VOI LUT of the data set, else the default of the modality. */
  readonly window: 'auto' | { readonly center: number; readonly width: number };
}

export interface Grey8 {
  /** Of `core/scratch.ts` where `release` is there: whoever is done with them may call it. */
  readonly pixels: Uint8Array;
  release?(): void;
  /** Absent where a VOI LUT was used. */
  readonly window?: Window;
  readonly notes: readonly string[];
}

/** The VOI stage as a function of modality values to [0, 1], with what identifies it. */
interface Voi {
  readonly apply: (value: number) => number;
  readonly window?: Window;
  readonly note?: string;
}

/**
 * Composed tables by what they are a function of: slices of a series share one, and composing it costs more than mapping
 * a slice through it. Of at most 64 KiB each; a few series may come side by side.
 */
const tables = new Map<string, Uint8Array>();
const TABLES_MAX = 16;

export class GreyRenderer {
  readonly #context: GreyContext;

  constructor(context: GreyContext) {
    this.#context = context;
  }

  render8(frame: DecodedFrame, frameIndex: number): Grey8 {
    const { source, dataSet, description } = this.#context;
    const modality = modalityTransformOf(source, dataSet, description, frameIndex);
    const voi = this.#voi(frame, modality, frameIndex);
    const inverted = isInverted(dataSet, description);
    const toByte = (stored: number): number => {
      const shown = voi.apply(modalityValue(modality, stored));
      return Math.round((inverted ? 1 - shown : shown) * 255);
    };
    const mapped = this.#map(frame, toByte, keyOf(frame, modality, voi, inverted));
    const notes = voi.note === undefined ? [] : [voi.note];
    return { ...mapped, notes, ...(voi.window && { window: voi.window }) };
  }

  #voi(frame: DecodedFrame, modality: ModalityTransform, frameIndex: number): Voi {
    const { source, dataSet, description, window } = this.#context;
    const floating = description.kind !== 'integer';
    if (window !== 'auto') return ofWindow({ ...window, function: floating ? 'LINEAR_EXACT' : 'LINEAR' });
    const signed = modalityValue(modality, lowestStored(frame)) < 0;
    const choices = voiChoicesOf(source, dataSet, frameIndex, { signed, floating });
    const [first] = choices.windows;
    if (first !== undefined) return ofWindow(first);
    const table = choices.tables[0]?.();
    if (table !== undefined) return { apply: lutFunction(table), note: 'VOI LUT' };
    const plain = modality.kind === 'linear' && modality.slope === 1 && modality.intercept === 0;
    if (plain && !floating && frame.bitsStored <= 8) return ofFullRange(frame);
    const padding = paddingRangeOf(dataSet, description);
    const found = defaultWindow(
      frame,
      (stored) => modalityValue(modality, stored),
      padding,
      dataSet.string(TAGS.Modality),
    );
    return { ...ofWindow(found.window), note: `default window, percentiles ${found.percentiles.join(' to ')}` };
  }

  #map(frame: DecodedFrame, toByte: (stored: number) => number, key: string | undefined): Mapped {
    const { samples } = frame;
    if (isFloating(samples) || samples instanceof Uint32Array) return { pixels: mapEach(frame, toByte) };
    const table = key === undefined ? composeTable(frame, toByte) : tableOf(key, frame, toByte);
    if (samples instanceof Uint8Array || samples.length + SLACK_BYTES > SCRATCH_BYTES_MAX)
      return { pixels: mapThrough(samples, table) };
    const space = borrowScratch(samples.length + SLACK_BYTES);
    return { pixels: mapFours(samples, table, space.buffer), release: () => giveBackScratch(space) };
  }
}

type Mapped = Pick<Grey8, 'pixels' | 'release'>;

function tableOf(key: string, frame: DecodedFrame, toByte: (stored: number) => number): Uint8Array {
  const table = tables.get(key) ?? composeTable(frame, toByte);
  tables.delete(key); // the one that was not asked for longest is the first
  tables.set(key, table);
  const [oldest] = tables.keys();
  if (tables.size > TABLES_MAX && oldest !== undefined) tables.delete(oldest);
  return table;
}

export function modalityValue(modality: ModalityTransform, stored: number): number {
  return modality.kind === 'linear' ? stored * modality.slope + modality.intercept : lookUp(modality.table, stored);
}

/** Maps words through a table of as many entries as there are words. */
export function mapThrough(samples: Uint8Array | Uint16Array, table: Uint8Array): Uint8Array {
  if (samples instanceof Uint16Array) return mapFours(samples, table, new ArrayBuffer(samples.length + SLACK_BYTES));
  const pixels = new Uint8Array(samples.length);
  mapEachThrough(samples, table, pixels);
  return pixels;
}

function mapEachThrough(samples: Uint8Array | Uint16Array, table: Uint8Array, pixels: Uint8Array): void {
  for (let index = 0; index < samples.length; index++) pixels[index] = table[samples[index] ?? 0] ?? 0;
}

/** So much longer than its pixels is the memory that they are placed in. */
const SLACK_BYTES = 4;

/**
 * Four words at a time, which saves half of the memory accesses. Words may begin between two 4-byte boundaries; then the
 * first one goes by itself, and the pixels are placed so that theirs are met with the second.
 */
function mapFours(words: Uint16Array, table: Uint8Array, buffer: ArrayBufferLike): Uint8Array {
  if (words.length === 0) return new Uint8Array();
  const lead = words.byteOffset % 4 === 0 ? 0 : 1;
  const fours = (words.length - lead) >>> 2;
  const pixels = new Uint8Array(buffer, lead * 3, words.length);
  const input = new Uint32Array(words.buffer, words.byteOffset + lead * 2, fours * 2);
  const output = new Uint32Array(buffer, lead * 4, fours);
  for (let index = 0, at = 0; index < fours; index++) {
    const first = input[at++] ?? 0;
    const second = input[at++] ?? 0;
    output[index] =
      (table[first & 0xffff] ?? 0) |
      ((table[first >>> 16] ?? 0) << 8) |
      ((table[second & 0xffff] ?? 0) << 16) |
      ((table[second >>> 16] ?? 0) << 24);
  }
  const rest = lead + fours * 4;
  mapEachThrough(words.subarray(0, lead), table, pixels);
  mapEachThrough(words.subarray(rest), table, pixels.subarray(rest));
  return pixels;
}

function composeTable(frame: DecodedFrame, toByte: (stored: number) => number): Uint8Array {
  const words = frame.samples instanceof Uint8Array ? 256 : 65536;
  const distinct = 2 ** frame.bitsStored;
  const byStored = new Uint8Array(distinct);
  for (let bits = 0; bits < distinct; bits++) byStored[bits] = toByte(storedValue(bits << frame.shift, frame));
  const table = new Uint8Array(words);
  for (let word = 0; word < words; word++) table[word] = byStored[(word >>> frame.shift) & (distinct - 1)] ?? 0;
  return table;
}

/** Values of more than 16 bits have no table. What is not a number is shown as black. */
function mapEach(frame: DecodedFrame, toByte: (stored: number) => number): Uint8Array {
  const { samples } = frame;
  const floating = isFloating(samples);
  const pixels = new Uint8Array(samples.length);
  for (let index = 0; index < samples.length; index++) {
    const word = samples[index] ?? 0;
    pixels[index] = toByte(floating ? word : storedValue(word, frame));
  }
  return pixels;
}

function ofWindow(window: Window): Voi {
  return { apply: windowFunction(window), window };
}

function ofFullRange(frame: DecodedFrame): Voi {
  const low = lowestStored(frame);
  const span = 2 ** frame.bitsStored - 1;
  return ofWindow({ center: low + span / 2, width: span, function: 'LINEAR_EXACT' });
}

function lowestStored(frame: DecodedFrame): number {
  return frame.signed ? -(2 ** (frame.bitsStored - 1)) : 0;
}

function keyOf(frame: DecodedFrame, modality: ModalityTransform, voi: Voi, inverted: boolean): string | undefined {
  // Look-up tables have no short name: an instance that brings some composes anew for each frame.
  if (modality.kind === 'lut' || voi.window === undefined) return undefined;
  const { bitsStored, shift, signed, samples } = frame;
  const { center, width, function: shape } = voi.window;
  return [
    bitsStored,
    shift,
    signed,
    samples.BYTES_PER_ELEMENT,
    modality.slope,
    modality.intercept,
    center,
    width,
    shape,
    inverted,
  ].join(' ');
}
