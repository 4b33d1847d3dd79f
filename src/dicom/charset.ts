/**
 * Specific Character Set (0008,0005): PS3.3 §C.12.1.1.2 Tables C.12-2 to C.12-5, PS3.5 §6.1 and Annexes H, I, J, K.
 *
 * Decoding: single-byte sets, UTF-8, GB18030 and GBK by the runtime's TextDecoder, ISO 2022 code extensions by the
 * dicom-character-set package. It never fails on bytes: what no set explains becomes U+FFFD, so that a broken name
 * can be seen and searched. Encoding is strict: text that a set cannot hold is answered with undefined.
 *
 *   characterSetOf(['', 'ISO 2022 IR 87']).decode(bytes, 'PN')   .encode(text, 'PN')
 */
import { convertBytes } from 'dicom-character-set';
import { LetheError } from '../core/errors.ts';
import { encodeExtended } from './charset-iso2022.ts';
import { type ByteTable, byteTable } from './charset-tables.ts';
import type { Vr } from './vr.ts';

export interface CharacterSet {
  /** The defined terms, as in (0008,0005) after correction; the default repertoire is `['']`. */
  readonly terms: readonly string[];
  /** The whole value, backslashes and padding included. */
  decode(bytes: Uint8Array, vr: Vr): string;
  /** Undefined when the text cannot be written in this character set. */
  encode(text: string, vr: Vr): Uint8Array | undefined;
}

/** Single-byte sets by the number in `ISO_IR n` and `ISO 2022 IR n`, with the label that TextDecoder knows. */
const SINGLE_BYTE: Readonly<Record<string, string>> = {
  '100': 'windows-1252', // Latin 1
  '101': 'iso-8859-2', // Latin 2
  '109': 'iso-8859-3', // Latin 3
  '110': 'iso-8859-4', // Latin 4
  '144': 'iso-8859-5', // Cyrillic
  '127': 'iso-8859-6', // Arabic
  '126': 'iso-8859-7', // Greek
  '138': 'iso-8859-8', // Hebrew
  '148': 'windows-1254', // Latin 5
  '203': 'iso-8859-15', // Latin 9
  '166': 'windows-874', // Thai
  '13': 'shift_jis', // JIS X 0201: only its single-byte part is used
};
const WHOLE: Readonly<Record<string, string>> = { 'ISO_IR 192': 'utf-8', GB18030: 'gb18030', GBK: 'gbk' };
const MULTI_BYTE_EXTENSIONS = ['87', '159', '149', '58'];
const ESCAPE = 0x1b;
const known = new Map<string, CharacterSet>();

/**
 * The character set that the values of (0008,0005) name; none or an empty one is the default repertoire, ISO_IR 6.
 * @throws DICOM_CHARSET_UNKNOWN
 */
export function characterSetOf(values: readonly string[]): CharacterSet {
  const key = values.join('\\');
  let set = known.get(key);
  if (set === undefined) {
    set = build(values.map(correctedTerm));
    if (known.size < KNOWN_MAX) known.set(key, set);
  }
  return set;
}

/** Far more than the combinations that exist; keeps a sender from filling the memory with misspellings. */
const KNOWN_MAX = 256;

/** Upper case, one space. Tolerance: `ISO-IR 100`, `ISO_IR_100`, `ISO IR 100`, `ISO2022 IR 87` and `UTF-8` are seen. */
function correctedTerm(value: string): string {
  const term = value.trim().toUpperCase();
  const number = /^ISO[ _-]?(2022)?[ _-]?IR[ _-]?(\d+)$/.exec(term);
  if (number !== null) return `${number[1] === undefined ? 'ISO_IR' : 'ISO 2022 IR'} ${number[2]}`;
  return /^UTF-?8$/.test(term) ? 'ISO_IR 192' : term;
}

function build(terms: readonly string[]): CharacterSet {
  const [first = ''] = terms;
  for (const term of terms)
    if (!isDefined(term)) throw new LetheError('DICOM_CHARSET_UNKNOWN', { values: terms.length });
  const whole = WHOLE[first];
  // Multi-byte sets without code extensions stand alone (PS3.3 C.12.1.1.2): what follows them is ignored.
  if (whole === 'utf-8') return utf8Set(first);
  if (whole !== undefined) return wholeSet(first, whole);
  const extended = terms.length > 1 || first.startsWith('ISO 2022');
  if (extended) return extendedSet(terms.filter((term) => WHOLE[term] === undefined));
  return first === '' || first === 'ISO_IR 6' ? defaultSet(first) : singleByteSet(first);
}

function isDefined(term: string): boolean {
  if (term === '' || WHOLE[term] !== undefined) return true;
  const number = /^(ISO_IR|ISO 2022 IR) (\d+)$/.exec(term);
  if (number === null) return false;
  const code = number[2] ?? '';
  if (code === '6' || SINGLE_BYTE[code] !== undefined) return true;
  return number[1] === 'ISO 2022 IR' && MULTI_BYTE_EXTENSIONS.includes(code);
}

/** ISO-IR 6 is ASCII. Tolerance: bytes above 7F are shown as UTF-8 where they are that, else as Latin 1. */
function defaultSet(term: string): CharacterSet {
  const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  return {
    terms: [term],
    decode(bytes) {
      const ascii = asciiText(bytes);
      if (ascii !== undefined) return ascii;
      try {
        return utf8.decode(bytes);
      } catch {
        return latin1Text(bytes);
      }
    },
    encode: (text) => asciiBytes(text),
  };
}

function utf8Set(term: string): CharacterSet {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const encoder = new TextEncoder();
  return {
    terms: [term],
    decode: (bytes) => asciiText(bytes) ?? decoder.decode(bytes),
    encode: (text) => (text.isWellFormed() && !text.includes('\u001b') ? encoder.encode(text) : undefined),
  };
}

/** GB18030 and GBK: bytes of 0x5C may be the second half of a character, so the whole value is decoded at once. */
function wholeSet(term: string, label: string): CharacterSet {
  const decoder = new TextDecoder(label);
  return {
    terms: [term],
    decode: (bytes) => asciiText(bytes) ?? decoder.decode(bytes),
    encode: (text, vr) => asciiBytes(text) ?? byteTable(label).encode(text, isSplit(vr)),
  };
}

function singleByteSet(term: string): CharacterSet {
  const table = tableOf(term);
  return {
    terms: [term],
    decode: (bytes, vr) => (table.ascii ? asciiText(bytes) : undefined) ?? table.decode(bytes, isSplit(vr)),
    encode: (text, vr) => (table.ascii ? asciiBytes(text) : undefined) ?? table.encode(text, isSplit(vr)),
  };
}

function tableOf(term: string): ByteTable {
  return byteTable(SINGLE_BYTE[term.slice(term.lastIndexOf(' ') + 1)] ?? 'windows-1252');
}

/** Code extensions, PS3.5 §6.1.2.4 and §6.1.2.5: escape sequences switch, delimiters switch back to the first value. */
function extendedSet(terms: readonly string[]): CharacterSet {
  const initial = (terms[0] ?? '').replace('ISO_IR', 'ISO 2022 IR') || 'ISO 2022 IR 6';
  const all = [
    ...new Set([initial, ...terms.slice(1).map((term) => term.replace('ISO_IR', 'ISO 2022 IR') || 'ISO 2022 IR 6')]),
  ];
  const ascii = initial !== 'ISO 2022 IR 13';
  const joined = all.join('\\');
  return {
    terms,
    decode: (bytes, vr) => (ascii ? asciiText(bytes) : undefined) ?? decodeExtended(joined, bytes, vr),
    encode: (text, vr) => (ascii ? asciiBytes(text) : undefined) ?? encodeExtended(all, text, vr),
  };
}

/** Tolerance: an escape sequence that (0008,0005) does not announce, or half a character, must not lose the rest. */
function decodeExtended(joined: string, bytes: Uint8Array, vr: Vr): string {
  try {
    return convertBytes(joined, bytes, { vr });
  } catch {
    let text = '';
    for (const byte of bytes) text += byte < 0x80 ? String.fromCharCode(byte) : '\ufffd';
    return text;
  }
}

/** A backslash separates values in these; in ST, LT and UT it is a character (PS3.5 Table 6.2-1). */
function isSplit(vr: Vr): boolean {
  return vr !== 'ST' && vr !== 'LT' && vr !== 'UT';
}

/** The text where every byte is ASCII and no escape sequence begins, else undefined. */
export function asciiText(bytes: Uint8Array): string | undefined {
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index] ?? 0;
    if (byte >= 0x80 || byte === ESCAPE) return undefined;
  }
  return latin1Text(bytes);
}

/** One character a byte. */
export function latin1Text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

function asciiBytes(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code >= 0x80 || code === ESCAPE) return undefined;
    bytes[index] = code;
  }
  return bytes;
}
