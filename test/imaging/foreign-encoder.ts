/** Codestreams by dcmjs-codecs, an encoder that shares no code with our side: for tests only, as its README asks. */
import codecs from 'dcmjs-codecs';
import type { ImageDescription } from '../../src/imaging/image-description.ts';

const { Context, NativeCodecs } = codecs;

export type ForeignFormat = 'rle' | 'jpeg-baseline' | 'jpeg-lossless' | 'jpeg-ls' | 'jpeg-2000' | 'htj2k';

/** Once before `encodeForeign`. */
export async function loadForeignEncoder(): Promise<void> {
  if (!NativeCodecs.isInitialized()) await NativeCodecs.initializeAsync();
}

export function encodeForeign(
  format: ForeignFormat,
  samples: Uint8Array | Uint16Array,
  description: ImageDescription,
): Uint8Array {
  const context = new Context({
    width: description.columns,
    height: description.rows,
    bitsAllocated: description.bitsAllocated,
    bitsStored: description.bitsStored,
    samplesPerPixel: description.samplesPerPixel,
    pixelRepresentation: description.signed ? 1 : 0,
    planarConfiguration: 0,
    photometricInterpretation: description.photometric,
    decodedBuffer: new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength),
  });
  const bytes = encode(format, context).getEncodedBuffer();
  if (bytes === undefined) throw new Error(`no ${format} encoder`);
  return new Uint8Array(bytes);
}

function encode(format: ForeignFormat, context: InstanceType<typeof Context>) {
  switch (format) {
    case 'rle':
      return NativeCodecs.encodeRle(context);
    case 'jpeg-baseline':
      return NativeCodecs.encodeJpeg(context, { lossy: true, quality: 95, sampleFactor: 0 });
    case 'jpeg-lossless':
      return NativeCodecs.encodeJpeg(context, { lossy: false, predictor: 1, pointTransform: 0 });
    case 'jpeg-ls':
      return NativeCodecs.encodeJpegLs(context, { lossy: false });
    case 'jpeg-2000':
      return NativeCodecs.encodeJpeg2000(context, { lossy: false });
    case 'htj2k':
      return NativeCodecs.encodeHtJpeg2000(context, { lossy: false });
  }
}
