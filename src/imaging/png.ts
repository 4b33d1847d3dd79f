/**
 * PNG (ISO/IEC 15948) of grey 8 and 16 bit and RGB 8 bit: signature, IHDR, IDAT, IEND and nothing else, so a written
 * file says nothing about where it came from. The same samples give the same bytes on every machine with the same zlib.
 *
 * Every row uses the Up filter, and zlib looks for runs only: on medical images, whose noise repeats nothing, that is
 * smaller than its fastest full search and takes half the time.
 */
import { constants, crc32, deflateSync } from 'node:zlib';

export interface PngImage {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  /** Row by row, the samples of a pixel together; 16-bit samples in the machine's (little-endian) order. */
  readonly samples: Uint8Array | Uint16Array;
  /** Written as an iCCP chunk where given; used for conversions only, never for what leaves. */
  readonly iccProfile?: Uint8Array;
}

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const GREY = 0;
const RGB = 2;
const FILTER_UP = 2;

/** What zlib writes into at once: a frame mostly fits, and pieces would have to be copied together. */
const OUTPUT_BYTES = { least: 64 * 1024, most: 16 * 1024 * 1024 } as const;

export function writePng(image: PngImage): Uint8Array {
  const { width, height, channels, samples, iccProfile } = image;
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.writeUInt8(samples.BYTES_PER_ELEMENT * 8, 8);
  header.writeUInt8(channels === 1 ? GREY : RGB, 9);
  const profile =
    iccProfile === undefined
      ? []
      : [chunk('iCCP', Buffer.concat([Buffer.from('icc\0\0', 'latin1'), deflateSync(iccProfile)]))];
  // Nobody keeps a PNG that was made for a conversion, so it is not compressed.
  const level = iccProfile === undefined ? constants.Z_BEST_SPEED : constants.Z_NO_COMPRESSION;
  const filtered = samples instanceof Uint16Array ? filterWords(image, samples) : filterBytes(image, samples);
  const chunkSize = Math.min(OUTPUT_BYTES.most, Math.max(OUTPUT_BYTES.least, filtered.length));
  const data = deflateSync(filtered, { level, strategy: constants.Z_RLE, memLevel: 9, chunkSize });
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    ...profile,
    chunk('IDAT', data),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Uint8Array): Buffer {
  const bytes = Buffer.alloc(12 + data.length);
  bytes.writeUInt32BE(data.length, 0);
  bytes.write(type, 4, 'latin1');
  bytes.set(data, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, 8 + data.length)), 8 + data.length);
  return bytes;
}

/** Each byte less the one above it (§9.2), rows led by the filter's number. */
function filterBytes({ width, height, channels }: PngImage, bytes: Uint8Array): Uint8Array {
  const rowBytes = width * channels;
  const filtered = new Uint8Array((rowBytes + 1) * height);
  filtered[0] = FILTER_UP;
  filtered.set(bytes.subarray(0, rowBytes), 1);
  for (let row = 1, at = rowBytes, target = rowBytes + 1; row < height; row++) {
    filtered[target++] = FILTER_UP;
    for (const end = at + rowBytes; at < end; at++) filtered[target++] = (bytes[at] ?? 0) - (bytes[at - rowBytes] ?? 0);
  }
  return filtered;
}

/** As `filterBytes`, of 16-bit samples, which a PNG holds most significant byte first: both in one go. */
function filterWords({ width, height, channels }: PngImage, words: Uint16Array): Uint8Array {
  const rowWords = width * channels;
  const filtered = new Uint8Array((rowWords * 2 + 1) * height);
  for (let row = 0, at = 0, target = 0; row < height; row++) {
    filtered[target++] = FILTER_UP;
    for (const end = at + rowWords; at < end; at++) {
      const word = words[at] ?? 0;
      const above = row === 0 ? 0 : (words[at - rowWords] ?? 0);
      filtered[target++] = (word >>> 8) - (above >>> 8);
      filtered[target++] = word - above;
    }
  }
  return filtered;
}
