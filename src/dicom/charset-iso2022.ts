/**
 * Writing text with ISO 2022 code extensions: PS3.5 §6.1.2.4, §6.1.2.5, Annexes H, I and K; escape sequences and defined
 * terms of PS3.3 Tables C.12-3 and C.12-4. Before control characters, before backslash, and in PN before `^` and `=`, the
 * initial sets are active again (§6.1.2.5.3), so each value and each name component announces its own sets.
 */
import { type Code, eucCodes, jisX0201Byte, pushCode, range, singleByteCodes } from './charset-tables.ts';
import type { Vr } from './vr.ts';

interface CodeElement {
  readonly slot: 'G0' | 'G1';
  readonly escape: readonly number[];
  codeOf(point: number): Code | undefined;
}

const SINGLE_BYTE: Readonly<Record<string, readonly [label: string, final: number]>> = {
  '100': ['windows-1252', 0x41],
  '101': ['iso-8859-2', 0x42],
  '109': ['iso-8859-3', 0x43],
  '110': ['iso-8859-4', 0x44],
  '144': ['iso-8859-5', 0x4c],
  '127': ['iso-8859-6', 0x47],
  '126': ['iso-8859-7', 0x46],
  '138': ['iso-8859-8', 0x48],
  '148': ['windows-1254', 0x4d],
  '203': ['iso-8859-15', 0x62],
  '166': ['windows-874', 0x54],
};

/** JIS X 0208 proper: the runtime's table also holds vendor rows (2D, 79-7C), which other readers cannot show. */
const JIS_X_0208_ROWS = [...range(0xa1, 0xa8), ...range(0xb0, 0xf4)];
const GB_2312_ROWS = [...range(0xa1, 0xa9), ...range(0xb0, 0xf7)];

const ASCII: CodeElement = {
  slot: 'G0',
  escape: [0x1b, 0x28, 0x42],
  codeOf: (point) => (point < 0x80 && point !== 0x1b ? { code: point, bytes: 1 } : undefined),
};

const elements = new Map<string, readonly CodeElement[]>();

/** The code elements of a defined term; made once, as the multi-byte tables are large. */
function elementsOf(term: string): readonly CodeElement[] {
  let known = elements.get(term);
  if (known === undefined) {
    known = makeElements(term.slice(term.lastIndexOf(' ') + 1));
    elements.set(term, known);
  }
  return known;
}

function makeElements(number: string): readonly CodeElement[] {
  const single = SINGLE_BYTE[number];
  if (single !== undefined) return [ASCII, fromTable('G1', [0x1b, 0x2d, single[1]], singleByteCodes(single[0]))];
  switch (number) {
    case '13': {
      const code = (point: number): Code | undefined => codeOfByte(jisX0201Byte(point, true));
      return [
        {
          slot: 'G0',
          escape: [0x1b, 0x28, 0x4a],
          codeOf: (point) => (point < 0x80 || point === 0x203e ? code(point) : undefined),
        },
        { slot: 'G1', escape: [0x1b, 0x29, 0x49], codeOf: (point) => (point >= 0xff61 ? code(point) : undefined) },
      ];
    }
    case '87':
      return [fromTable('G0', [0x1b, 0x24, 0x42], sevenBit(eucCodes('euc-jp', JIS_X_0208_ROWS)))];
    case '159':
      return [fromTable('G0', [0x1b, 0x24, 0x28, 0x44], sevenBit(eucCodes('euc-jp', range(0xa1, 0xfe), 0x8f)))];
    case '149':
      return [fromTable('G1', [0x1b, 0x24, 0x29, 0x43], eucCodes('euc-kr', range(0xa1, 0xfd)))];
    case '58':
      return [fromTable('G1', [0x1b, 0x24, 0x29, 0x41], eucCodes('gb18030', GB_2312_ROWS))];
    default:
      return [ASCII];
  }
}

function codeOfByte(byte: number | undefined): Code | undefined {
  return byte === undefined ? undefined : { code: byte, bytes: 1 };
}

function fromTable(slot: 'G0' | 'G1', announced: readonly number[], table: ReadonlyMap<number, Code>): CodeElement {
  return { slot, escape: announced, codeOf: (point) => table.get(point) };
}

function sevenBit(table: ReadonlyMap<number, Code>): ReadonlyMap<number, Code> {
  return new Map([...table].map(([point, { code, bytes }]) => [point, { code: code & 0x7f7f, bytes }]));
}

/** Writes `text` with the sets of `terms`, the first being the initial one; undefined where none holds a character. */
export function encodeExtended(terms: readonly string[], text: string, vr: Vr): Uint8Array | undefined {
  const all = terms.flatMap(elementsOf);
  const initial = elementsOf(terms[0] ?? '');
  const initialG0 = initial.find(({ slot }) => slot === 'G0') ?? ASCII;
  const initialG1 = initial.find(({ slot }) => slot === 'G1');
  const bytes: number[] = [];
  let g0 = initialG0;
  let g1 = initialG1;
  const reset = (): void => {
    if (g0 !== initialG0) bytes.push(...initialG0.escape);
    if (g1 !== initialG1 && initialG1 !== undefined) bytes.push(...initialG1.escape);
    g0 = initialG0;
    g1 = initialG1; // where the initial set has no G1, the delimiter itself ends the other one
  };
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    if (isDelimiter(point, vr)) reset();
    let code = g0.codeOf(point) ?? g1?.codeOf(point);
    if (code === undefined) {
      const element = [initialG0, ...all].find((candidate) => candidate.codeOf(point) !== undefined);
      code = element?.codeOf(point);
      if (element === undefined || code === undefined) return undefined;
      bytes.push(...element.escape);
      if (element.slot === 'G0') g0 = element;
      else g1 = element;
    }
    pushCode(bytes, code);
  }
  reset();
  return Uint8Array.from(bytes);
}

/** Where the initial sets must be active, PS3.5 §6.1.2.5.3. */
function isDelimiter(point: number, vr: Vr): boolean {
  if (point < 0x20) return true;
  if (point === 0x5c) return vr !== 'ST' && vr !== 'LT' && vr !== 'UT';
  return vr === 'PN' && (point === 0x5e || point === 0x3d);
}
