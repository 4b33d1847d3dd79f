/**
 * Reads as much of a JPEG (ITU-T T.81 Annex B) or PNG (ISO/IEC 15948 clause 5) file as tells what it is, how large the
 * picture is, and that the file was not cut short. Pure; decodes nothing.
 */

export interface ImageFile {
  readonly mediaType: 'image/jpeg' | 'image/png';
  readonly extension: 'jpg' | 'png';
  readonly width: number;
  readonly height: number;
}

const PNG_SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
/** A zero length, the chunk type and its CRC: the only bytes an IEND chunk can have. */
const PNG_END = Buffer.from([0, 0, 0, 0, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82]);
/** Signature, IHDR length and type, 13 bytes of IHDR. */
const PNG_HEAD_BYTES = 29;

/** Undefined for anything that is not a whole JPEG or PNG file. */
export function readImageFile(bytes: Buffer): ImageFile | undefined {
  return readPng(bytes) ?? readJpeg(bytes);
}

function readPng(bytes: Buffer): ImageFile | undefined {
  if (bytes.length < PNG_HEAD_BYTES + PNG_END.length) return undefined;
  if (!bytes.subarray(0, 8).equals(PNG_SIGNATURE) || !bytes.subarray(-PNG_END.length).equals(PNG_END)) return undefined;
  if (bytes.toString('latin1', 12, 16) !== 'IHDR') return undefined;
  return { mediaType: 'image/png', extension: 'png', width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) };
}

function readJpeg(bytes: Buffer): ImageFile | undefined {
  const size = bytes.length;
  if (size < 4 || bytes.readUInt16BE(0) !== 0xffd8 || bytes.readUInt16BE(size - 2) !== 0xffd9) return undefined;
  let position = 2;
  while (position + 9 <= size) {
    if (bytes[position] !== 0xff) return undefined;
    const marker = bytes[position + 1] ?? 0;
    if (marker === 0xff) {
      // Fill bytes before a marker, T.81 §B.1.1.2.
      position += 1;
    } else if (isFrameHeader(marker)) {
      // 0-1 marker, 2-3 length, 4 precision, 5-6 lines, 7-8 samples per line
      const [height, width] = [bytes.readUInt16BE(position + 5), bytes.readUInt16BE(position + 7)];
      return { mediaType: 'image/jpeg', extension: 'jpg', width, height };
    } else {
      position += 2 + bytes.readUInt16BE(position + 2);
    }
  }
  return undefined;
}

/** SOF0 to SOF15 without DHT (C4), JPG (C8) and DAC (CC), T.81 Table B.1. */
function isFrameHeader(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}
