/**
 * STOW-RS for the reference backend (PS3.18 §10.5), for what is no image: reads multipart/related bodies (RFC 2046
 * §5.1, RFC 2387) and the file meta information of Part 10 files (PS3.10 §7.1), and writes the Store Instances Response
 * Module (PS3.18 Table I.1-1) in JSON. Pure, and independent of the gateway's own reader and sender.
 */

export interface ReceivedObject {
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  readonly transferSyntaxUid: string;
  readonly bytes: Buffer;
}

/** What became of one part; UIDs are empty where it has none that can be read. 0: stored; else Failure Reason (0008,1197), PS3.18 Table I.2-2. */
export interface PartResult {
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  readonly failureReason: number;
}

export const FAILURE_REASON = { duplicate: 0x0111, cannotUnderstand: 0xc000 } as const;

const PREFIX_AT = 128;
const META_AT = 132;
/** File meta information is a few hundred bytes; more is not ours to read. */
const META_BYTES_MAX = 64 * 1024;
const META_GROUP = 0x0002;
const LONG_VRS: ReadonlySet<string> = new Set([
  'OB',
  'OW',
  'UN',
  'UT',
  'SQ',
  'OF',
  'OD',
  'OL',
  'OV',
  'UC',
  'UR',
  'SV',
  'UV',
]);
const UID = /^[0-9]+(\.[0-9]+)*$/;

/** The parts of a body, without their headers; undefined when it is no multipart/related body. */
export function partsOf(contentType: string, body: Buffer): Buffer[] | undefined {
  const match = /^multipart\/related\s*;.*?\bboundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(contentType);
  const boundary = match?.[1] ?? match?.[2];
  if (boundary === undefined) return undefined;
  const delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
  // The first delimiter may stand at the very beginning, without the line break before it.
  const text = Buffer.concat([Buffer.from('\r\n'), body]);
  const parts: Buffer[] = [];
  let start = text.indexOf(delimiter);
  while (start >= 0) {
    const from = start + delimiter.length;
    if (text.toString('latin1', from, from + 2) === '--') return parts;
    const end = text.indexOf(delimiter, from);
    const content = text.indexOf('\r\n\r\n', from);
    if (end < 0 || content < 0 || content > end) return undefined;
    parts.push(text.subarray(content + 4, end));
    start = end;
  }
  return undefined;
}

/** Undefined when the bytes are no Part 10 file with the UIDs that every one must have (PS3.10 Table 7.1-1). */
export function readObject(bytes: Buffer): ReceivedObject | undefined {
  if (bytes.toString('latin1', PREFIX_AT, META_AT) !== 'DICM') return undefined;
  const uids = readMeta(bytes.subarray(0, META_AT + META_BYTES_MAX));
  const [sopClassUid, sopInstanceUid, transferSyntaxUid] = [uids.get(0x0002), uids.get(0x0003), uids.get(0x0010)];
  if (sopClassUid === undefined || sopInstanceUid === undefined || transferSyntaxUid === undefined) return undefined;
  if (!UID.test(sopInstanceUid)) return undefined;
  return { sopClassUid, sopInstanceUid, transferSyntaxUid, bytes };
}

/** The UIDs of group 0002 by element number; always Explicit VR Little Endian. */
function readMeta(bytes: Buffer): Map<number, string> {
  const uids = new Map<number, string>();
  let position = META_AT;
  while (position + 12 <= bytes.length && bytes.readUInt16LE(position) === META_GROUP) {
    // 0-1 group, 2-3 element, 4-5 VR, then a length of 2 bytes, or 2 reserved bytes and a length of 4
    const vr = bytes.toString('latin1', position + 4, position + 6);
    const long = LONG_VRS.has(vr);
    const length = long ? bytes.readUInt32LE(position + 8) : bytes.readUInt16LE(position + 6);
    const start = position + (long ? 12 : 8);
    if (vr === 'UI')
      uids.set(bytes.readUInt16LE(position + 2), bytes.toString('latin1', start, start + length).replace(/\0+$/, ''));
    position = start + length;
  }
  return uids;
}

/** 200 all stored, 202 some, 409 none (PS3.18 Table 10.5.3-1). */
export function statusOf(results: readonly PartResult[]): number {
  const failed = results.filter((result) => result.failureReason !== 0).length;
  if (failed === 0) return 200;
  return failed < results.length ? 202 : 409;
}

export function responseModule(results: readonly PartResult[]): object {
  const uid = (value: string) => (value === '' ? { vr: 'UI' } : { vr: 'UI', Value: [value] });
  const reference = ({ sopClassUid, sopInstanceUid }: PartResult) => ({
    '00081150': uid(sopClassUid),
    '00081155': uid(sopInstanceUid),
  });
  const stored = results.filter((result) => result.failureReason === 0);
  const failed = results.filter((result) => result.failureReason !== 0);
  return {
    ...(failed.length === 0
      ? {}
      : {
          '00081198': {
            vr: 'SQ',
            Value: failed.map((one) => ({ ...reference(one), '00081197': { vr: 'US', Value: [one.failureReason] } })),
          },
        }),
    ...(stored.length === 0 ? {} : { '00081199': { vr: 'SQ', Value: stored.map(reference) } }),
  };
}
