/**
 * Colour by ICC profile (PS3.3 §C.11.15) to sRGB, which is what JPEG and PNG without a profile mean. A profile that is sRGB
 * already changes nothing and costs nothing; one that cannot be used is left aside, with a note, as colour that is a
 * little off is better than none and the numbers sent do not depend on it.
 */
import sharp from 'sharp';
import type { Picture } from './encode.ts';
import { writePng } from './png.ts';

/** Offsets in the profile header (ISO 15076-1 §7.2). */
const COLOUR_SPACE_AT = 16;
const SIGNATURE_AT = 36;
const DEVICE_MODEL_AT = 52;
const HEADER_BYTES = 128;

export interface Converted {
  readonly picture: Picture;
  readonly note?: string;
}

/** @param picture RGB of 8 bits */
export async function toSrgb(picture: Picture, profile: Uint8Array): Promise<Converted> {
  if (!isRgbProfile(profile)) return { picture, note: 'ICC profile not applied: it is not one for RGB' };
  if (textAt(profile, DEVICE_MODEL_AT) === 'sRGB') return { picture };
  try {
    const { width, height } = picture;
    const png = writePng({ ...picture, channels: 3, iccProfile: profile });
    const raw = await sharp(png, { limitInputPixels: false }).toColourspace('srgb').removeAlpha().raw().toBuffer();
    if (raw.length !== width * height * 3) return { picture, note: NOT_APPLIED };
    return { picture: { ...picture, samples: new Uint8Array(raw) }, note: 'converted to sRGB by the ICC profile' };
  } catch {
    return { picture, note: NOT_APPLIED };
  }
}

const NOT_APPLIED = 'ICC profile not applied: it cannot be read';

function isRgbProfile(profile: Uint8Array): boolean {
  return (
    profile.length > HEADER_BYTES &&
    textAt(profile, SIGNATURE_AT) === 'acsp' &&
    textAt(profile, COLOUR_SPACE_AT) === 'RGB '
  );
}

function textAt(profile: Uint8Array, at: number): string {
  return String.fromCharCode(...profile.subarray(at, at + 4));
}
