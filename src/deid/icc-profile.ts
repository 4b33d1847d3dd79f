/**
 * An ICC profile (ISO 15076-1, ICC.1:2022) without its texts: what computes colours is copied, and nothing else is. Names,
 * copyrights, dictionaries, private tags, the profile's identifier and whatever lies between its tags become zeros; every
 * offset and length stays.
 */

const SIGNATURE_AT = 36;
const SIGNATURE = 'acsp';
const PROFILE_ID_AT = 84; // §7.2.18; zeros say that it was not computed
const TABLE_AT = 128;
const ENTRY_BYTES = 12;
const TAGS_MAX = 256;
/** Types of numbers and curves, §10; each begins with its signature and four reserved bytes. */
const NUMERIC_TYPES: readonly string[] =
  'XYZ,chrm,cicp,curv,gbd,mAB,mBA,mft1,mft2,para,sf32,sig,uf32,ui08,ui16,ui32,ui64,view,meas'
    .split(',')
    .map((type) => type.padEnd(4));

/** The cleaned profile, as long as the original; undefined for what is no ICC profile. */
export function withoutProfileTexts(profile: Uint8Array): Uint8Array | undefined {
  if (profile.length < TABLE_AT + 4 || ascii(profile, SIGNATURE_AT) !== SIGNATURE) return undefined;
  const count = u32(profile, TABLE_AT);
  const tableEnd = TABLE_AT + 4 + count * ENTRY_BYTES;
  if (count > TAGS_MAX || tableEnd > profile.length) return undefined;
  const clean = new Uint8Array(profile.length);
  const copy = (start: number, end: number): void => clean.set(profile.subarray(start, end), start);
  copy(0, PROFILE_ID_AT);
  copy(TABLE_AT, tableEnd);
  for (let entry = TABLE_AT + 4; entry < tableEnd; entry += ENTRY_BYTES) {
    const start = u32(profile, entry + 4);
    const end = start + u32(profile, entry + 8);
    if (start < tableEnd || end > profile.length) return undefined;
    copy(start, Math.min(end, start + keptBytes(profile, start, end)));
  }
  return clean;
}

/** How much of a tag's data says no word: all of numbers, the structure of texts without their characters. */
function keptBytes(profile: Uint8Array, start: number, end: number): number {
  const type = ascii(profile, start);
  if (NUMERIC_TYPES.includes(type)) return end - start;
  if (type === 'mluc') return Math.min(end - start, 16 + u32(profile, start + 8) * ENTRY_BYTES);
  return type === 'desc' ? 12 : 8; // `desc` has the count of its characters there
}

function ascii(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + 4));
}

function u32(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] ?? 0) * 0x1000000 + (bytes[at + 1] ?? 0) * 0x10000 + (bytes[at + 2] ?? 0) * 0x100 + (bytes[at + 3] ?? 0)
  );
}
