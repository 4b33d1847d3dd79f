/**
 * Decoding a frame in process, per codec, beside native programs on the same frames where they are installed. A program's
 * time is its whole process less that of DCMTK's `dcmconv` copying the same decoded frames, over several frames: start,
 * reading and writing are not decoding. JPEG 2000 is measured inside of Python, where Pillow calls OpenJPEG with one
 * thread (gdcmconv takes all cores). Rounds of both alternate; medians of one run, after a warm-up.
 *
 *   node bench/decode.ts [--rounds N] [--json]
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadDecoder } from '../src/imaging/codec.ts';
import type { ImageDescription } from '../src/imaging/image-description.ts';
import { TAGS } from '../src/imaging/tags.ts';
import { buildPart10 } from '../test/build/data-set.ts';
import { encodeForeign, type ForeignFormat, loadForeignEncoder } from '../test/imaging/foreign-encoder.ts';
import { syntax } from '../test/imaging/image-files.ts';
import { findProgram } from '../test/support/peers.ts';
import { CT, DX, medianMs, type PhantomShape, phantom } from './phantom.ts';

/** Native decoders that write an uncompressed file: program and what comes before input and output. */
const PEERS: Partial<Record<ForeignFormat, readonly [program: string, ...options: string[]]>> = {
  rle: ['dcmdrle'],
  'jpeg-lossless': ['dcmdjpeg'],
  'jpeg-ls': ['dcmdjpls'],
};
const FORMATS: readonly (readonly [format: ForeignFormat, uid: string])[] = [
  ['rle', '1.2.840.10008.1.2.5'],
  ['jpeg-lossless', '1.2.840.10008.1.2.4.70'],
  ['jpeg-ls', '1.2.840.10008.1.2.4.80'],
  ['jpeg-2000', '1.2.840.10008.1.2.4.90'],
  ['htj2k', '1.2.840.10008.1.2.4.201'],
];

interface Row {
  readonly image: string;
  readonly codec: string;
  readonly ms: number;
  readonly nativeMs?: number;
  readonly ratio?: number;
}

function describe({ rows, columns, bits }: PhantomShape): ImageDescription {
  const kind = { pixelDataTag: TAGS.PixelData, kind: 'integer', photometric: 'MONOCHROME2' } as const;
  const layout = {
    bitsAllocated: 16,
    bitsStored: bits,
    highBit: bits - 1,
    signed: false,
    planar: 0,
    samplesPerPixel: 1,
  } as const;
  return { ...kind, ...layout, rows, columns, frames: 1 };
}

function part10(description: ImageDescription, uid: string, frames: readonly Uint8Array[]): Uint8Array {
  const native = (): Uint8Array => Buffer.concat(frames);
  return buildPart10(
    [
      ['SOPClassUID', '1.2.840.10008.5.1.4.1.1.7'],
      ['SOPInstanceUID', '2.25.1'],
      ['SamplesPerPixel', 1],
      ['PhotometricInterpretation', 'MONOCHROME2'],
      ['NumberOfFrames', String(frames.length)],
      ['Rows', description.rows],
      ['Columns', description.columns],
      ['BitsAllocated', 16],
      ['BitsStored', description.bitsStored],
      ['HighBit', description.highBit],
      ['PixelRepresentation', 0],
      uid === '' ? ['PixelData', 'OW', native()] : ['PixelData', 'OB', { fragments: [new Uint8Array(0), ...frames] }],
    ],
    uid === '' ? {} : { transferSyntax: uid },
  );
}

/** Median milliseconds of decoding the raw codestream `in.raw`, by a library within the Python process. */
const PILLOW = `
import io, sys, time
from PIL import Image
data, times = open(sys.argv[1], 'rb').read(), []
for _ in range(int(sys.argv[2])):
    start = time.perf_counter()
    Image.open(io.BytesIO(data)).load()
    times.append((time.perf_counter() - start) * 1000)
print(sorted(times)[len(times) // 2])
`;

/** Frames of a program's file, so that a small frame is not lost in the noise of starting a process. */
const FRAMES_MIN = 2;
const FRAME_PIXELS_MIN = 8_000_000;
const WARM_UP_MS = 1500;
/** Decodes of a round. */
const REPEATS = 3;

function pillowMs(folder: string): number {
  const options = ['-c', PILLOW, join(folder, 'in.raw'), String(REPEATS)];
  return Number(execFileSync('/usr/bin/python3', options, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
}

/** One measurement of the native decoder; undefined where it is not installed. */
function peerOf(folder: string, format: ForeignFormat, frames: number): (() => Promise<number>) | undefined {
  if (format === 'jpeg-2000') {
    try {
      pillowMs(folder);
    } catch {
      return undefined;
    }
    return async () => pillowMs(folder);
  }
  const [program, ...options] = PEERS[format] ?? [''];
  if (program === '' || findProgram(program) === undefined || findProgram('dcmconv') === undefined) return undefined;
  const run = (name: string, ...rest: string[]) => execFileSync(name, rest, { stdio: 'ignore' });
  const [input, output, plain] = ['in.dcm', 'out.dcm', 'plain.dcm'].map((name) => join(folder, name));
  return async () => {
    const copying = await medianMs(1, () => run('dcmconv', plain ?? '', output ?? ''));
    return ((await medianMs(1, () => run(program, ...options, input ?? '', output ?? ''))) - copying) / frames;
  };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

async function measure(shape: PhantomShape, image: string, rounds: number): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'lethe-bench-'));
  const rows: Row[] = [];
  try {
    const description = describe(shape);
    const pixels = phantom(shape);
    const frames = Math.max(FRAMES_MIN, Math.ceil(FRAME_PIXELS_MIN / pixels.length));
    const repeated = (frame: Uint8Array) => Array.from({ length: frames }, () => frame);
    writeFileSync(join(folder, 'plain.dcm'), part10(description, '', repeated(new Uint8Array(pixels.buffer))));
    for (const [format, uid] of FORMATS) {
      const stream = encodeForeign(format, pixels, description);
      writeFileSync(join(folder, 'in.raw'), stream);
      writeFileSync(join(folder, 'in.dcm'), part10(description, uid, repeated(stream)));
      const decode = await loadDecoder(syntax(uid));
      for (const end = performance.now() + WARM_UP_MS; performance.now() < end; ) decode(stream, description);
      const peer = peerOf(folder, format, frames);
      const times: { ours: number[]; native: number[] } = { ours: [], native: [] };
      for (let round = 0; round < rounds; round++) {
        times.ours.push(await medianMs(REPEATS, () => decode(stream, description)));
        if (peer !== undefined) times.native.push(await peer());
      }
      const ms = median(times.ours);
      const nativeMs = median(times.native);
      rows.push({ image, codec: format, ms, ...(peer !== undefined && { nativeMs, ratio: ms / nativeMs }) });
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  return rows;
}

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, json: { type: 'boolean', default: false } },
});
await loadForeignEncoder();
const rounds = Number(values.rounds);
const rows = [...(await measure(CT, 'CT 512x512', rounds)), ...(await measure(DX, 'DX 2500x2048', rounds))];
if (values.json) console.log(JSON.stringify({ bench: 'decode', rounds, rows }));
else
  console.table(
    rows.map((row) =>
      Object.fromEntries(
        Object.entries(row).map(([name, value]) => [
          name,
          typeof value === 'number' ? Number(value.toFixed(2)) : value,
        ]),
      ),
    ),
  );
