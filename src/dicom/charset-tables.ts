/**
 * Code tables in both directions, derived from the runtime's own TextDecoder (WHATWG Encoding Standard) by decoding
 * every code once: the runtime can decode these sets but encodes UTF-8 only. Each table is made at its first use.
 */

export interface ByteTable {
  /** Bytes 00-7F are ASCII: pure ASCII needs no table. */
  readonly ascii: boolean;
  /** `split`: a backslash is a separator, not a character. */
  decode(bytes: Uint8Array, split: boolean): string;
  encode(text: string, split: boolean): Uint8Array | undefined;
}

/** The code of a character, most significant byte first, and how many bytes it takes. */
export interface Code {
  readonly code: number;
  readonly bytes: number;
}

const tables = new Map<string, ByteTable>();

/** The table of a single-byte set, or of GBK or GB18030, by its TextDecoder label. */
export function byteTable(label: string): ByteTable {
  let table = tables.get(label);
  if (table === undefined) {
    table = makeTable(label);
    tables.set(label, table);
  }
  return table;
}

function makeTable(label: string): ByteTable {
  if (label === 'shift_jis') return jisX0201Table();
  const decoder = new TextDecoder(label);
  const codes = label === 'gbk' || label === 'gb18030' ? gbCodes(label) : singleByteCodes(label);
  const supplementary = label === 'gb18030' ? gb18030Supplementary : () => undefined;
  return {
    ascii: true,
    decode: (bytes) => decoder.decode(bytes),
    encode: (text) => encodeWith(text, (point) => codes.get(point) ?? supplementary(point)),
  };
}

function encodeWith(text: string, codeOf: (point: number) => Code | undefined): Uint8Array | undefined {
  const bytes: number[] = [];
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    const code = point < 0x80 ? ASCII_CODES[point] : codeOf(point);
    if (code === undefined) return undefined;
    pushCode(bytes, code);
  }
  return Uint8Array.from(bytes);
}

/** ESC would begin a code extension (PS3.5 §6.1.3): text must not smuggle one in. */
const ASCII_CODES: readonly (Code | undefined)[] = Array.from({ length: 0x80 }, (_, code) =>
  code === 0x1b ? undefined : { code, bytes: 1 },
);

export function pushCode(into: number[], { code, bytes }: Code): void {
  for (let shift = (bytes - 1) * 8; shift >= 0; shift -= 8) into.push((code >>> shift) & 0xff);
}

/** Bytes A0-FF: 80-9F hold control characters in ISO 8859, whatever Windows keeps there. */
export function singleByteCodes(label: string): ReadonlyMap<number, Code> {
  return codesFrom(
    label,
    range(0xa0, 0xff).map((code) => [code, 1]),
  );
}

/** Rows of a 94 × 94 set in its EUC form (both bytes A1-FE), optionally after a prefix byte (`8F`: JIS X 0212). */
export function eucCodes(label: string, rows: readonly number[], prefix = 0): ReadonlyMap<number, Code> {
  const codes = rows.flatMap((row) => range(0xa1, 0xfe).map((cell): [number, number] => [(row << 8) | cell, 2]));
  if (prefix === 0) return codesFrom(label, codes);
  const prefixed = codesFrom(
    label,
    codes.map(([code]) => [(prefix << 16) | code, 3]),
  );
  return new Map([...prefixed].map(([point, { code }]) => [point, { code: code & 0xffff, bytes: 2 }]));
}

export function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

/** Two-byte GBK; for GB18030 also the four-byte codes of the Basic Multilingual Plane. */
function gbCodes(label: string): ReadonlyMap<number, Code> {
  const trails = range(0x40, 0xfe).filter((trail) => trail !== 0x7f);
  const codes = range(0x81, 0xfe).flatMap((lead) => trails.map((trail): [number, number] => [(lead << 8) | trail, 2]));
  if (label === 'gb18030')
    for (let linear = 0; linear < GB_FOUR_BYTE_BMP; linear++) codes.push([gbFourBytes(linear), 4]);
  return codesFrom(label, codes);
}

/** Four-byte codes of GB18030 that stand for characters of the Basic Multilingual Plane: 81308130 to 8431A439. */
const GB_FOUR_BYTE_BMP = 39420;
const GB_SUPPLEMENTARY_START = 189000; // linear place of 90308130, U+10000

function gbFourBytes(linear: number): number {
  const fourth = 0x30 + (linear % 10);
  const third = 0x81 + (Math.floor(linear / 10) % 126);
  const second = 0x30 + (Math.floor(linear / 1260) % 10);
  const first = 0x81 + Math.floor(linear / 12600);
  return ((first << 24) | (second << 16) | (third << 8) | fourth) >>> 0;
}

function gb18030Supplementary(point: number): Code | undefined {
  if (point < 0x10000) return undefined;
  return { code: gbFourBytes(GB_SUPPLEMENTARY_START + point - 0x10000), bytes: 4 };
}

/** Decodes each code; the first code of a character wins, codes without a character or with several are left out. */
function codesFrom(
  label: string,
  codes: readonly (readonly [code: number, bytes: number])[],
): ReadonlyMap<number, Code> {
  const decoder = new TextDecoder(label, { fatal: true });
  const result = new Map<number, Code>();
  for (const [code, bytes] of codes) {
    const encoded: number[] = [];
    pushCode(encoded, { code, bytes });
    const point = decodeOne(decoder, Uint8Array.from(encoded));
    if (point !== undefined && !result.has(point)) result.set(point, { code, bytes });
  }
  return result;
}

function decodeOne(decoder: TextDecoder, bytes: Uint8Array): number | undefined {
  try {
    const text = decoder.decode(bytes);
    const point = text.codePointAt(0);
    return point !== undefined && String.fromCodePoint(point).length === text.length ? point : undefined;
  } catch {
    return undefined; // no character has this code
  }
}

const YEN = '\u00a5';
const OVERLINE = '\u203e';
const KATAKANA_FIRST_BYTE = 0xa1;
const KATAKANA_LAST_BYTE = 0xdf;
const KATAKANA_FIRST = 0xff61; // half-width

/** JIS X 0201 (ISO_IR 13): 5C is the yen sign (a separator where values are split), 7E the overline, A1-DF katakana. */
function jisX0201Table(): ByteTable {
  return {
    ascii: false,
    decode(bytes, split) {
      let text = '';
      for (const byte of bytes) text += jisX0201Character(byte, split);
      return text;
    },
    encode(text, split) {
      const bytes = new Uint8Array(text.length);
      for (let index = 0; index < text.length; index++) {
        const byte = jisX0201Byte(text.charCodeAt(index), split);
        if (byte === undefined) return undefined;
        bytes[index] = byte;
      }
      return bytes;
    },
  };
}

function jisX0201Character(byte: number, split: boolean): string {
  if (byte === 0x5c && !split) return YEN;
  if (byte === 0x7e) return OVERLINE;
  if (byte < 0x80) return String.fromCharCode(byte);
  if (byte < KATAKANA_FIRST_BYTE || byte > KATAKANA_LAST_BYTE) return '\ufffd';
  return String.fromCharCode(KATAKANA_FIRST + byte - KATAKANA_FIRST_BYTE);
}

export function jisX0201Byte(code: number, split: boolean): number | undefined {
  if (code === 0x5c) return split ? 0x5c : undefined;
  if (code === YEN.charCodeAt(0)) return split ? undefined : 0x5c;
  if (code === OVERLINE.charCodeAt(0)) return 0x7e;
  if (code < 0x7e) return code === 0x1b ? undefined : code;
  const byte = code - KATAKANA_FIRST + KATAKANA_FIRST_BYTE;
  return byte >= KATAKANA_FIRST_BYTE && byte <= KATAKANA_LAST_BYTE ? byte : undefined;
}
