/**
 * Mutational fuzzing of the Part 10 reader and the tokenizer. Deterministic: the same seed tries the same inputs.
 *
 *   node fuzz/data-set.ts [--seconds 10] [--seed 1] [--runs N]
 *
 * Seeds are files made here, and the development corpus where it is beside the project (LETHE_SHARED). For each input:
 * reading ends in a data set or in a typed DICOM error; every value decodes; tokens do not depend on how the bytes were
 * split; what was read and written again reads the same; no input takes long. A failure is saved and named; exit 1.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { bytesSource, MemorySink } from '../src/core/bytes.ts';
import { LetheError } from '../src/core/errors.ts';
import type { DataSet } from '../src/dicom/data-set.ts';
import { readDataSet } from '../src/dicom/data-set-reader.ts';
import { toDicomJson } from '../src/dicom/json.ts';
import { type OpenPart10, openPart10, readPart10 } from '../src/dicom/part10.ts';
import { DataSetTokenizer, type Token } from '../src/dicom/tokens.ts';
import { VRS, type Vr } from '../src/dicom/vr.ts';
import { DataSetWriter } from '../src/dicom/writer.ts';
import {
  type BuildElement,
  buildPart10,
  DEFLATED_LITTLE,
  EXPLICIT_BIG,
  EXPLICIT_LITTLE,
  IMPLICIT_LITTLE,
} from '../test/build/data-set.ts';
import { sharedPath } from '../test/support/shared.ts';

const SEED_BYTES_MAX = 24 * 1024;
const INPUT_MS_MAX = 2000;
const INTERESTING = [0, 1, 0x20, 0x41, 0x53, 0x51, 0x7f, 0x80, 0xe0, 0xfe, 0xff];
const LIMITS = { headerBytesMax: 16 * 1024 * 1024, inflatedBytesMax: 16 * 1024 * 1024, wholeValueBytesMax: 256 };

/** Mulberry32: small, and the same everywhere. */
class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  }

  pick<T>(list: readonly T[]): T {
    const chosen = list[this.below(list.length)];
    assert.ok(chosen !== undefined);
    return chosen;
  }
}

function builtSeeds(): Uint8Array[] {
  const elements: readonly BuildElement[] = [
    ['SpecificCharacterSet', '\\ISO 2022 IR 87'],
    ['SOPClassUID', '1.2.840.10008.5.1.4.1.1.7'],
    ['SOPInstanceUID', '2.25.1'],
    ['PatientName', 'Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B'],
    [
      0x00091010,
      'UN',
      [
        [
          [0x00091011, 'LO', 'nested'],
          ['StudyDate', '20200101'],
        ],
      ],
    ],
    ['PixelRepresentation', 1],
    [
      'RequestAttributesSequence',
      [
        [
          ['StudyID', 'S'],
          ['ReferencedStudySequence', [[['PatientID', 'P']], []]],
        ],
        [],
      ],
    ],
  ];
  const native: BuildElement = ['PixelData', 'OW', new Uint8Array(600)];
  const encapsulated: BuildElement = [
    'PixelData',
    'OB',
    { fragments: [new Uint8Array(4), new Uint8Array(300), new Uint8Array(8)] },
  ];
  return [
    ...[IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED_LITTLE].flatMap((transferSyntax) =>
      [true, false].map((definedLengths) => buildPart10([...elements, native], { transferSyntax, definedLengths })),
    ),
    buildPart10([...elements, encapsulated], '1.2.840.10008.1.2.4.50'),
  ];
}

function corpusSeeds(): Uint8Array[] {
  const manifest = sharedPath('corpus', 'MANIFEST.json');
  if (!existsSync(manifest)) return [];
  const { entries } = JSON.parse(readFileSync(manifest, 'utf8')) as { entries: { path: string }[] };
  const paths = entries.map(({ path }) => sharedPath('corpus', path));
  return paths.filter((path) => statSync(path).size <= SEED_BYTES_MAX).map((path) => readFileSync(path));
}

function mutated(seeds: readonly Uint8Array[], dice: Dice): Uint8Array {
  let bytes = Uint8Array.from(dice.pick(seeds));
  for (let count = 1 + dice.below(6); count > 0; count--) bytes = mutatedOnce(bytes, seeds, dice);
  return bytes;
}

function mutatedOnce(
  bytes: Uint8Array<ArrayBuffer>,
  seeds: readonly Uint8Array[],
  dice: Dice,
): Uint8Array<ArrayBuffer> {
  const at = dice.below(bytes.length + 1);
  switch (dice.below(6)) {
    case 0:
      if (at < bytes.length) bytes[at] = dice.pick(INTERESTING);
      return bytes;
    case 1:
      if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << dice.below(8));
      return bytes;
    case 2: // an undefined or a wild 32-bit length
      bytes.fill(dice.pick([0xff, 0x7f, 0]), at, at + 4);
      return bytes;
    case 3:
      return bytes.slice(0, at);
    case 4: // a piece again, or twice
      return Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(Math.max(0, at - dice.below(64)))]);
    default: {
      const other = dice.pick(seeds);
      const from = dice.below(other.length + 1);
      return Uint8Array.from([
        ...bytes.subarray(0, at),
        ...other.subarray(from, from + dice.below(200)),
        ...bytes.subarray(at),
      ]);
    }
  }
}

/** Runs and answers the code of a typed DICOM error; any other error is a finding. */
function codeOf(work: () => void): string {
  try {
    work();
    return 'read';
  } catch (error) {
    if (error instanceof LetheError && error.code.startsWith('DICOM_')) return error.code;
    throw error;
  }
}

function check(bytes: Uint8Array, dice: Dice): string {
  let file: ReturnType<typeof readPart10> | undefined;
  const code = codeOf(() => {
    file = readPart10(bytesSource(bytes), LIMITS);
  });
  let open: OpenPart10 | undefined;
  codeOf(() => {
    open = openPart10(bytesSource(bytes), LIMITS.inflatedBytesMax);
  });
  if (open !== undefined) checkSplits(open, dice);
  if (file !== undefined) {
    const { dataSet } = file;
    codeOf(() => toDicomJson(dataSet));
    checkRewritten(file);
  }
  return code;
}

/** The tokens, one text a token, of a data set fed in pieces of `step`; ends with the error's code where there is one. */
function story(open: OpenPart10, step: number): string {
  const tokenizer = new DataSetTokenizer({ ...open.encoding, wholeValueBytesMax: LIMITS.wholeValueBytesMax });
  const parts: string[] = [];
  const end = codeOf(() => {
    for (let at = open.dataSetOffset; !tokenizer.finished; at += step) {
      const chunk = open.source.read(at, step);
      if (chunk.length === 0) tokenizer.end();
      else tokenizer.push(chunk);
      for (let token = tokenizer.next(); token !== undefined; token = tokenizer.next()) parts.push(tokenText(token));
    }
  });
  // Of a value that is cut, or behind damage, more or less may have been told before the end.
  return end === 'read' ? parts.join(' ') : end;
}

function tokenText(token: Token): string {
  if (token.kind === 'bulk-data') return Buffer.from(token.bytes).toString('hex');
  if (token.kind === 'element')
    return ` ${token.depth}:${token.tag}${token.vr}${Buffer.from(token.value).toString('hex')} `;
  return ` ${JSON.stringify(token)} `;
}

function checkSplits(open: OpenPart10, dice: Dice): void {
  const whole = story(open, open.source.size + 1).replaceAll(' ', '');
  const split = story(open, 1 + dice.below(50)).replaceAll(' ', '');
  assert.ok(split === whole, 'tokens depend on how the bytes were split');
}

function checkRewritten(file: OpenPart10 & { readonly dataSet: DataSet }): void {
  const sink = new MemorySink();
  const encoding = { explicitVr: true, littleEndian: file.encoding.littleEndian };
  const writer = new DataSetWriter(sink, encoding);
  if (!writeAll(file.dataSet, writer, file)) return;
  const again = readDataSet(bytesSource(sink.bytes()), { ...encoding, wholeValueBytesMax: LIMITS.wholeValueBytesMax });
  assert.ok(treeText(again) === treeText(file.dataSet), 'what was written reads otherwise');
}

/** False where a sequence in UN changed the byte order: its values would have to be swapped to be written again. */
function writeAll(dataSet: DataSet, writer: DataSetWriter, file: OpenPart10): boolean {
  if (dataSet.littleEndian !== file.encoding.littleEndian) return false;
  for (const { tag, vr, value, items, fragments, offset, length } of dataSet.elements()) {
    if (items !== undefined) {
      writer.beginSequence(tag);
      for (const item of items) {
        writer.beginItem();
        if (!writeAll(item, writer, file)) return false;
        writer.endItem();
      }
      writer.endSequence();
    } else if (fragments !== undefined) {
      writer.beginFragments(tag, 'OB');
      for (const fragment of fragments)
        writeBulk(writer, file, fragment.offset, fragment.length, () => writer.fragment(fragment.length));
      writer.endFragments();
    } else if (value !== undefined) writer.element(tag, vr, value);
    else writeBulk(writer, file, offset, length, () => writer.beginBulk(tag, vr, length));
  }
  return true;
}

function writeBulk(writer: DataSetWriter, file: OpenPart10, offset: number, length: number, begin: () => void): void {
  begin();
  writer.bulkData(file.source.read(offset, length));
  writer.endBulk();
}

/** Tags, the beginnings of values as the writer pads them, and nesting. */
function treeText(dataSet: DataSet): string {
  const parts: string[] = [];
  for (const { tag, vr, value, items, fragments } of dataSet.elements()) {
    const inner = items?.map(treeText).join('|') ?? fragments?.map(({ length }) => length + (length % 2)).join('|');
    parts.push(`${tag}${inner === undefined ? paddedHex(value ?? new Uint8Array(0), vr).slice(0, 20) : `[${inner}]`}`);
  }
  return parts.join(',');
}

function paddedHex(value: Uint8Array, vr: Vr): string {
  const hex = Buffer.from(value).toString('hex');
  return value.length % 2 === 0 ? hex : hex + VRS[vr].padding.toString(16).padStart(2, '0');
}

function main(): number {
  const { values } = parseArgs({
    options: { seconds: { type: 'string' }, seed: { type: 'string' }, runs: { type: 'string' } },
  });
  const seed = Number(values.seed ?? 1);
  const deadline = performance.now() + Number(values.seconds ?? 10) * 1000;
  const runsMax = Number(values.runs ?? Number.POSITIVE_INFINITY);
  const seeds = [...builtSeeds(), ...corpusSeeds()];
  const counts = new Map<string, number>();
  let runs = 0;
  for (; runs < runsMax && performance.now() < deadline; runs++) {
    const dice = new Dice(seed * 1_000_003 + runs);
    const input = mutated(seeds, dice);
    const start = performance.now();
    try {
      const code = check(input, dice);
      counts.set(code, (counts.get(code) ?? 0) + 1);
      assert.ok(performance.now() - start < INPUT_MS_MAX, `an input of ${input.length} bytes took too long`);
    } catch (error) {
      const path = join(mkdtempSync(join(tmpdir(), 'lethe-fuzz-')), `seed-${seed}-run-${runs}.dcm`);
      writeFileSync(path, input);
      console.error(`run ${runs} of seed ${seed} failed; input saved as ${path}\n`, error);
      return 1;
    }
  }
  const summary = [...counts].toSorted().map(([code, count]) => `${code} ${count}`);
  console.log(`data-set: ${runs} inputs from ${seeds.length} seeds, none failed: ${summary.join(', ')}`);
  return 0;
}

process.exitCode = main();
