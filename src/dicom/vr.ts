/**
 * Value Representations, PS3.5 §6.2 Table 6.2-1 (2026c), and the form of their header in Explicit VR, PS3.5 §7.1.2.
 *
 * A VR is named by its two letters. `vrOfBytes` finds it by the two bytes on the wire without building a string, so
 * that the tokenizer makes no garbage per element. Lengths are bytes unless a name says characters.
 */

export type Vr =
  | 'AE'
  | 'AS'
  | 'AT'
  | 'CS'
  | 'DA'
  | 'DS'
  | 'DT'
  | 'FD'
  | 'FL'
  | 'IS'
  | 'LO'
  | 'LT'
  | 'OB'
  | 'OD'
  | 'OF'
  | 'OL'
  | 'OV'
  | 'OW'
  | 'PN'
  | 'SH'
  | 'SL'
  | 'SQ'
  | 'SS'
  | 'ST'
  | 'SV'
  | 'TM'
  | 'UC'
  | 'UI'
  | 'UL'
  | 'UN'
  | 'UR'
  | 'US'
  | 'UT'
  | 'UV';

export interface VrRow {
  /** Explicit VR: two reserved bytes and a 32-bit length (12-byte header, PS3.5 Table 7.1-1); else 16 bits (8 bytes). */
  readonly longLength: boolean;
  /** What an odd value is padded with (PS3.5 §6.2): NUL for UI and byte strings, else space. */
  readonly padding: 0x00 | 0x20;
  /** Affected by Specific Character Set (0008,0005), PS3.5 §6.1.2.3. */
  readonly charset: boolean;
  /** A character string (whatever its repertoire). */
  readonly text: boolean;
  /** Text: a backslash separates values. Numbers: values follow each other. False: always one value. */
  readonly multiValued: boolean;
  /** What is swapped between byte orders (PS3.5 §7.3). */
  readonly unitBytes: 1 | 2 | 4 | 8;
  /** Longest single value where the limit is in bytes (repertoire of one byte a character). */
  readonly maxBytes?: number;
  /** Longest single value where the limit is in characters; PN: of each component group. */
  readonly maxCharacters?: number;
}

const ascii = (maxBytes: number): VrRow => ({
  longLength: false,
  padding: 0x20,
  charset: false,
  text: true,
  multiValued: true,
  unitBytes: 1,
  maxBytes,
});
const words = (maxCharacters: number, multiValued: boolean): VrRow => ({
  longLength: false,
  padding: 0x20,
  charset: true,
  text: true,
  multiValued,
  unitBytes: 1,
  maxCharacters,
});
const longText = (charset: boolean, multiValued: boolean): VrRow => ({
  longLength: true,
  padding: 0x20,
  charset,
  text: true,
  multiValued,
  unitBytes: 1,
});
const number = (unitBytes: 2 | 4 | 8, maxBytes: number, longLength = false): VrRow => ({
  longLength,
  padding: 0x00,
  charset: false,
  text: false,
  multiValued: true,
  unitBytes,
  maxBytes,
});
const stream = (unitBytes: 1 | 2 | 4 | 8): VrRow => ({
  longLength: true,
  padding: 0x00,
  charset: false,
  text: false,
  multiValued: false,
  unitBytes,
});

/** PS3.5 Table 6.2-1, row for row. */
export const VRS: Readonly<Record<Vr, VrRow>> = {
  AE: ascii(16),
  AS: ascii(4),
  AT: number(2, 4), // two 16-bit halves, each swapped on its own
  CS: ascii(16),
  DA: ascii(8),
  DS: ascii(16),
  DT: ascii(26),
  FD: number(8, 8),
  FL: number(4, 4),
  IS: ascii(12),
  LO: words(64, true),
  LT: words(10240, false),
  OB: stream(1),
  OD: stream(8),
  OF: stream(4),
  OL: stream(4),
  OV: stream(8),
  OW: stream(2),
  PN: words(64, true),
  SH: words(16, true),
  SL: number(4, 4),
  SQ: stream(1),
  SS: number(2, 2),
  ST: words(1024, false),
  SV: number(8, 8, true),
  TM: ascii(14),
  UC: longText(true, true),
  UI: { ...ascii(64), padding: 0x00 },
  UL: number(4, 4),
  UN: stream(1),
  UR: longText(false, false),
  US: number(2, 2),
  UT: longText(true, false),
  UV: number(8, 8, true),
};

const LETTERS = 26;
const LETTER_A = 0x41;
const BY_LETTERS: (Vr | undefined)[] = new Array<Vr | undefined>(LETTERS * LETTERS).fill(undefined);
const LONG_BY_LETTERS = new Uint8Array(LETTERS * LETTERS);
for (const vr of Object.keys(VRS) as Vr[]) {
  const place = placeOf(vr.charCodeAt(0), vr.charCodeAt(1));
  BY_LETTERS[place] = vr;
  LONG_BY_LETTERS[place] = VRS[vr].longLength ? 1 : 0;
}

function placeOf(first: number, second: number): number {
  return (first - LETTER_A) * LETTERS + second - LETTER_A;
}

/** The VR of two bytes on the wire; undefined when they name none of this edition. */
export function vrOfBytes(first: number, second: number): Vr | undefined {
  return areLetters(first, second) ? BY_LETTERS[placeOf(first, second)] : undefined;
}

/** `VRS[vr].longLength` by the two bytes on the wire, which must name a VR. */
export function isLongLength(first: number, second: number): boolean {
  return LONG_BY_LETTERS[placeOf(first, second)] === 1;
}

/** Two upper-case letters: what every VR, also one of a later edition, looks like (PS3.5 §6.2). */
export function areLetters(first: number, second: number): boolean {
  return first >= LETTER_A && first < LETTER_A + LETTERS && second >= LETTER_A && second < LETTER_A + LETTERS;
}

export function isVr(text: string): text is Vr {
  return Object.hasOwn(VRS, text);
}
