/**
 * Redactions written back into files by the tests' own writer, and decoded by programs that are not ours. All images are
 * computed, no person in them.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bytesSource } from '../../../src/core/bytes.ts';
import { implicitVr, tagOfKeyword } from '../../../src/dicom/dictionary.ts';
import { type Part10File, readPart10 } from '../../../src/dicom/part10.ts';
import type { Tag } from '../../../src/dicom/tag.ts';
import type { PixelReplacements, Replacement } from '../../../src/imaging/redact/replacement.ts';
import { type BuildElement, buildPart10 } from '../../build/data-set.ts';

export interface TestImage {
  readonly rows: number;
  readonly columns: number;
  readonly samplesPerPixel: 1 | 3;
  readonly bitsAllocated: 8 | 16;
  readonly bitsStored: number;
  readonly signed?: boolean;
  readonly photometric: string;
  readonly frames?: number;
}

/** Values by pixel, frame behind frame: textured, so that every path of a coder is used. */
export function valuesOf({ rows, columns, samplesPerPixel, bitsStored, signed, frames = 1 }: TestImage): number[] {
  const range = 2 ** bitsStored - 1;
  return Array.from({ length: rows * columns * samplesPerPixel * frames }, (_, index) => {
    const pixel = Math.floor(index / samplesPerPixel);
    const x = pixel % columns;
    const y = Math.floor(pixel / columns);
    const wave = Math.sin(x / 5 + (index % samplesPerPixel)) * Math.cos(y / 7) * 0.4 + 0.5;
    const value = Math.round(range * Math.min(1, Math.max(0, wave + ((pixel * 37) % 11) / 200)));
    return signed === true ? value - 2 ** (bitsStored - 1) : value;
  });
}

export function elementsOf(image: TestImage, pixelData: BuildElement): BuildElement[] {
  return [
    // X-Ray Angiographic Image Storage: any number of frames, and GDCM lets its pixels be signed.
    ['SOPClassUID', '1.2.840.10008.5.1.4.1.1.12.1'],
    ['SOPInstanceUID', '2.25.21'],
    ['StudyInstanceUID', '2.25.22'],
    ['SeriesInstanceUID', '2.25.23'],
    ['SamplesPerPixel', image.samplesPerPixel],
    ['PhotometricInterpretation', image.photometric],
    ...(image.samplesPerPixel === 3 ? ([['PlanarConfiguration', 0]] as const) : []),
    ['NumberOfFrames', String(image.frames ?? 1)],
    ['Rows', image.rows],
    ['Columns', image.columns],
    ['BitsAllocated', image.bitsAllocated],
    ['BitsStored', image.bitsStored],
    ['HighBit', image.bitsStored - 1],
    ['PixelRepresentation', image.signed === true ? 1 : 0],
    pixelData,
  ];
}

/** Native, Explicit VR Little Endian. */
export function nativeFile(image: TestImage): Uint8Array {
  const words = image.bitsAllocated === 8 ? Uint8Array.from(valuesOf(image)) : Uint16Array.from(valuesOf(image));
  const bytes = new Uint8Array(words.buffer);
  return buildPart10(elementsOf(image, ['PixelData', image.bitsAllocated === 8 ? 'OB' : 'OW', bytes]));
}

export function opened(bytes: Uint8Array): Part10File {
  return readPart10(bytesSource(bytes));
}

export function bytesOf(replacement: Replacement | undefined): Uint8Array {
  if (replacement?.kind === 'value') return replacement.value;
  if (replacement?.kind !== 'bulk') throw new Error('not native');
  const bytes = Buffer.concat(Array.from(replacement.chunks(), (chunk) => Buffer.from(chunk)));
  if (bytes.length !== replacement.length) throw new Error(`${bytes.length} bytes, ${replacement.length} announced`);
  return bytes;
}

/** The file with its replacements, as one that knows nothing of ours writes it. */
export function withReplacements(file: Part10File, { replace, transferSyntaxUid }: PixelReplacements): Uint8Array {
  const elements: BuildElement[] = [];
  const tags = new Set<Tag>([...[...file.dataSet.elements()].map(({ tag }) => tag), ...replace.keys()]);
  for (const tag of [...tags].sort((a, b) => a - b)) {
    const replacement = replace.get(tag);
    if (replacement?.kind === 'remove') continue;
    if (replacement?.kind === 'fragments') {
      const frames = [...replacement.fragments()].map((frame) => new Uint8Array(frame));
      elements.push([tag, 'OB', { fragments: [new Uint8Array(0), ...frames] }]);
    } else if (replacement !== undefined) {
      elements.push([tag, replacement.vr, bytesOf(replacement)]);
    } else {
      const value = file.dataSet.bytes(tag);
      if (value !== undefined) elements.push([tag, implicitVr(tag), new Uint8Array(value)]);
    }
  }
  return buildPart10(elements, { transferSyntax: transferSyntaxUid ?? file.transferSyntax.uid });
}

export class Bench {
  readonly #folder: string;
  #count = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Gives `input` to `program OPTIONS in out` and what it writes back. */
  run(program: string, options: readonly string[], input: Uint8Array): Uint8Array {
    const [from, to] = [this.path('in'), this.path('out')];
    writeFileSync(from, input);
    execFileSync(program, [...options, from, to], { stdio: ['ignore', 'ignore', 'pipe'], timeout: 20_000 });
    return readFileSync(to);
  }

  path(name: string): string {
    return join(this.#folder, `${this.#count++}-${name}.dcm`);
  }
}

/** Native pixels as words, whatever wrote the file. */
export function nativeWords(bytes: Uint8Array): Uint8Array | Uint16Array {
  const { dataSet, source } = opened(bytes);
  const pixels = dataSet.element(tagOfKeyword('PixelData') ?? 0);
  if (pixels === undefined) throw new Error('no pixel data');
  const value = new Uint8Array(source.read(pixels.offset, pixels.length));
  return dataSet.number(tagOfKeyword('BitsAllocated') ?? 0) === 16 ? new Uint16Array(value.buffer) : value;
}
