/**
 * Colour frames to RGB of 8 bits a sample (PS3.3 §C.7.6.3.1.2). YBR_FULL by the full-range matrix of ITU-R BT.601,
 * YBR_PARTIAL by its studio-range form; deeper samples keep their eight most significant bits, rounded.
 */
import { type DecodedFrame, storedValue } from './decoded-frame.ts';

/** The frame's samples as RGB, 8 bits; the frame's own bytes where they are that already. */
export function toRgb8(frame: DecodedFrame): Uint8Array {
  const samples = to8Bits(frame);
  switch (frame.photometric) {
    case 'YBR_FULL':
    case 'YBR_FULL_422':
      return fullRangeToRgb(samples);
    case 'YBR_PARTIAL_422':
    case 'YBR_PARTIAL_420':
      return partialRangeToRgb(samples);
    default:
      // YBR_RCT and YBR_ICT outside of JPEG 2000 are a label that lies: there is no such transform to undo.
      return samples;
  }
}

function to8Bits(frame: DecodedFrame): Uint8Array {
  const { samples, bitsStored, shift } = frame;
  if (samples instanceof Uint8Array && bitsStored === 8) return samples;
  const output = new Uint8Array(samples.length);
  const white = 2 ** bitsStored - 1;
  // Colour is unsigned (PS3.3 §C.7.6.3.1.2), so the sign is not looked at.
  const layout = { bitsStored, shift, signed: false };
  for (let index = 0; index < samples.length; index++) {
    output[index] = Math.round((storedValue(samples[index] ?? 0, layout) / white) * 255);
  }
  return output;
}

function fullRangeToRgb(samples: Uint8Array): Uint8Array {
  const rgb = new Uint8ClampedArray(samples.length);
  for (let at = 0; at + 2 < samples.length; at += 3) {
    const luma = samples[at] ?? 0;
    const blue = (samples[at + 1] ?? 0) - 128;
    const red = (samples[at + 2] ?? 0) - 128;
    rgb[at] = luma + 1.402 * red;
    rgb[at + 1] = luma - 0.344136 * blue - 0.714136 * red;
    rgb[at + 2] = luma + 1.772 * blue;
  }
  return new Uint8Array(rgb.buffer);
}

function partialRangeToRgb(samples: Uint8Array): Uint8Array {
  const rgb = new Uint8ClampedArray(samples.length);
  for (let at = 0; at + 2 < samples.length; at += 3) {
    const luma = 1.164383 * ((samples[at] ?? 0) - 16);
    const blue = (samples[at + 1] ?? 0) - 128;
    const red = (samples[at + 2] ?? 0) - 128;
    rgb[at] = luma + 1.596027 * red;
    rgb[at + 1] = luma - 0.391762 * blue - 0.812968 * red;
    rgb[at + 2] = luma + 2.017232 * blue;
  }
  return new Uint8Array(rgb.buffer);
}
