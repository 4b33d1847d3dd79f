/** What is sent, and the numbers that describe it: the contract that clients of the image API rely on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import sharp from 'sharp';
import { type RenderedFrame, type RenderOptions, renderFrames, renderPictures } from '../../src/imaging/render.ts';
import { type Attributes, imageFile, wordBytes } from './image-files.ts';

const CT: Attributes = {
  BitsAllocated: 16,
  BitsStored: 12,
  HighBit: 11,
  RescaleSlope: '1',
  RescaleIntercept: '-1024',
  WindowCenter: '40',
  WindowWidth: '400',
  PixelData: ['OW', wordBytes([0, 1064, 4095, 864, 1263, 24])],
};

async function render(attributes: Attributes, options: RenderOptions): Promise<RenderedFrame[]> {
  const frames: RenderedFrame[] = [];
  for await (const frame of renderFrames(imageFile(attributes), options)) frames.push(frame);
  return frames;
}

/** The numbers that go with an image, without its bytes and size. */
function numbersOf(frame: RenderedFrame | undefined) {
  assert.ok(frame);
  const {
    photometricInterpretation,
    samplesPerPixel,
    bitsAllocated,
    bitsStored,
    highBit,
    rescaleSlope,
    rescaleIntercept,
  } = frame;
  return [
    photometricInterpretation,
    samplesPerPixel,
    bitsAllocated,
    bitsStored,
    highBit,
    rescaleSlope,
    rescaleIntercept,
  ];
}

async function words(frame: RenderedFrame | undefined): Promise<number[]> {
  const raw = await sharp(frame?.bytes).toColourspace('grey16').raw({ depth: 'ushort' }).toBuffer();
  return [...new Uint16Array(raw.buffer, raw.byteOffset, raw.byteLength / 2)];
}

test('an 8-bit image of a CT says 8/8/7, slope 1, intercept 0, MONOCHROME2', async () => {
  for (const format of ['jpeg', 'png'] as const) {
    const [frame] = await render(CT, { format });
    assert.deepEqual(numbersOf(frame), ['MONOCHROME2', 1, 8, 8, 7, 1, 0]);
    assert.deepEqual([frame?.width, frame?.height], [3, 2]);
    assert.deepEqual(frame?.window, { center: 40, width: 400, function: 'LINEAR' });
    assert.equal(frame?.mediaType, format === 'jpeg' ? 'image/jpeg' : 'image/png');
  }
});

test('a 16-bit image of a CT holds the stored values and says the rescale of the instance', async () => {
  const [frame] = await render(CT, { format: 'png16' });
  assert.deepEqual(numbersOf(frame), ['MONOCHROME2', 1, 16, 12, 11, 1, -1024]);
  assert.deepEqual(await words(frame), [0, 1064, 4095, 864, 1263, 24]);
});

test('signed stored values are shifted in the 16-bit image, and the intercept sent goes down to match', async () => {
  const [frame] = await render({ ...CT, PixelRepresentation: 1 }, { format: 'png16' });
  assert.deepEqual(numbersOf(frame), ['MONOCHROME2', 1, 16, 12, 11, 1, -1024 - 2048]);
  assert.equal((await words(frame))[0], 2048);
});

test('MONOCHROME1 is turned for 8 bits and kept, with its name, for 16', async () => {
  const attributes = { ...CT, PhotometricInterpretation: 'MONOCHROME1' };
  const [eight] = await render(attributes, { format: 'png' });
  const pixels = await sharp(eight?.bytes).toColourspace('b-w').raw().toBuffer();
  assert.deepEqual([eight?.photometricInterpretation, pixels[0]], ['MONOCHROME2', 255]);
  const [sixteen] = await render(attributes, { format: 'png16' });
  assert.deepEqual([sixteen?.photometricInterpretation, (await words(sixteen))[0]], ['MONOCHROME1', 0]);
});

test('colour is 8-bit RGB in every format', async () => {
  const attributes = {
    SamplesPerPixel: 3,
    PhotometricInterpretation: 'YBR_FULL',
    PlanarConfiguration: 0,
    PixelData: ['OB', new Uint8Array(18).fill(128)],
  } as const;
  for (const format of ['jpeg', 'png', 'png16'] as const) {
    const [frame] = await render(attributes, { format });
    assert.deepEqual(numbersOf(frame), ['RGB', 3, 8, 8, 7, 1, 0]);
  }
});

test('1-bit images are sent as 8 bits, since no contract has fewer', async () => {
  const attributes = {
    BitsAllocated: 1,
    BitsStored: 1,
    HighBit: 0,
    PixelData: ['OB', Uint8Array.of(0b101010)],
  } as const;
  const [sixteen] = await render(attributes, { format: 'png16' });
  assert.deepEqual(numbersOf(sixteen), ['MONOCHROME2', 1, 8, 8, 7, 1, 0]);
  const [eight] = await render(attributes, { format: 'png' });
  assert.deepEqual([...(await sharp(eight?.bytes).toColourspace('b-w').raw().toBuffer())], [0, 255, 0, 255, 0, 255]);
});

test('a slope that the contract cannot say: kept, held, or sent as 8 bits, as configured', async () => {
  const attributes = { ...CT, RescaleSlope: '0.5' };
  const [kept] = await render(attributes, { format: 'png16' });
  assert.equal(kept?.rescaleSlope, 0.5);
  await assert.rejects(render(attributes, { format: 'png16', onUnrepresentable: 'hold' }), {
    code: 'IMAGING_UNREPRESENTABLE',
  });
  const [instead] = await render(attributes, { format: 'png16', onUnrepresentable: 'jpeg' });
  assert.deepEqual([instead?.mediaType, instead?.bitsStored, instead?.rescaleSlope], ['image/jpeg', 8, 1]);
  assert.match(instead?.notes.join() ?? '', /cannot be expressed/);
});

test('a whole slope is never held, and neither is an 8-bit image', async () => {
  const [whole] = await render({ ...CT, RescaleSlope: '3' }, { format: 'png16', onUnrepresentable: 'hold' });
  assert.equal(whole?.rescaleSlope, 3);
  const [eight] = await render({ ...CT, RescaleSlope: '0.5' }, { format: 'png', onUnrepresentable: 'hold' });
  assert.equal(eight?.rescaleSlope, 1);
});

const FRAMES: Attributes = {
  NumberOfFrames: '3',
  Rows: 1,
  Columns: 2,
  PixelData: ['OB', Uint8Array.of(1, 2, 3, 4, 5, 6)],
};

test('all frames come in order, chosen ones as chosen, each announced before it begins', async () => {
  const started: number[] = [];
  const all = await render(FRAMES, { format: 'png', onFrameStart: (frame) => started.push(frame) });
  assert.deepEqual(
    [all.map(({ frame }) => frame), started],
    [
      [1, 2, 3],
      [1, 2, 3],
    ],
  );
  const chosen = await render(FRAMES, { format: 'png', frames: [3, 1] });
  assert.deepEqual(
    chosen.map(({ frame }) => frame),
    [3, 1],
  );
  assert.deepEqual([...(await sharp(chosen[0]?.bytes).toColourspace('b-w').raw().toBuffer())], [5, 6]);
});

test('a frame that the instance does not have is refused before any work', async () => {
  for (const frame of [0, 4, 1.5]) {
    await assert.rejects(render(FRAMES, { format: 'png', frames: [1, frame] }), { code: 'IMAGING_PIXEL_DATA_MISSING' });
  }
});

test('a chosen window is used and said', async () => {
  const [frame] = await render(CT, { format: 'png', window: { center: -1000, width: 2 } });
  assert.deepEqual(frame?.window, { center: -1000, width: 2, function: 'LINEAR' });
  const pixels = await sharp(frame?.bytes).toColourspace('b-w').raw().toBuffer();
  assert.deepEqual([...pixels], [0, 255, 255, 255, 255, 255]);
});

test('larger images are scaled down to the longest side, and the size said is the one sent', async () => {
  const attributes = { Rows: 40, Columns: 20, PixelData: ['OB', new Uint8Array(800)] } as const;
  const [frame] = await render(attributes, { format: 'png16', maxEdge: 10 });
  assert.deepEqual([frame?.width, frame?.height, frame?.notes], [5, 10, ['scaled down']]);
});

test('an object that is no image says so', async () => {
  await assert.rejects(render({}, { format: 'png' }), { code: 'IMAGING_PIXEL_DATA_MISSING' });
});

test('pixels that are not square are sent as they are, with their shape on record', async () => {
  const [frame] = await render({ ...CT, PixelAspectRatio: ['4', '3'] }, { format: 'png' });
  assert.deepEqual([frame?.width, frame?.height, frame?.notes], [3, 2, ['pixel aspect ratio 4:3']]);
});

test('pictures are the same pixels without a file around them', async () => {
  const [frame] = await render(CT, { format: 'png' });
  for await (const { frame: number, picture } of renderPictures(imageFile(CT), {})) {
    assert.deepEqual([number, picture.width, picture.height, picture.channels], [1, 3, 2, 1]);
    assert.deepEqual([...picture.samples], [...(await sharp(frame?.bytes).toColourspace('b-w').raw().toBuffer())]);
  }
});

test('what is wrong with the description is said, also where the decoder is missing as well', async () => {
  const jpegXl = imageFile(
    { Rows: 0, PixelData: ['OB', { fragments: [new Uint8Array(0)] }] },
    '1.2.840.10008.1.2.4.110',
  );
  // A decoder that is loaded beside this check and fails would be a rejection that nobody awaits.
  await assert.rejects(renderFrames(jpegXl, { format: 'png' }).next(), { code: 'IMAGING_DESCRIPTION_INVALID' });
});

const TWO_COLOUR_FRAMES: Attributes = {
  NumberOfFrames: '2',
  SamplesPerPixel: 3,
  PhotometricInterpretation: 'RGB',
  PlanarConfiguration: 0,
  Rows: 1,
  Columns: 2,
  PixelData: ['OB', Uint8Array.of(1, 2, 3, 4, 5, 6, 250, 251, 252, 253, 254, 255)],
};

test('a source that reads each frame into the same buffer does not change the frame that is being encoded', async () => {
  const { source, ...file } = imageFile(TWO_COLOUR_FRAMES);
  const buffer = new Uint8Array(source.size);
  const read = (position: number, length: number): Uint8Array => {
    const bytes = source.read(position, length);
    buffer.set(bytes);
    return buffer.subarray(0, bytes.length);
  };
  const pixels: number[][] = [];
  for await (const { bytes } of renderFrames({ ...file, source: { size: source.size, read } }, { format: 'png' }))
    pixels.push([...(await sharp(bytes).raw().toBuffer())]);
  assert.deepEqual(pixels, [
    [1, 2, 3, 4, 5, 6],
    [250, 251, 252, 253, 254, 255],
  ]);
});

test('the frames before a damaged one come, then its error, and nothing after it is begun', async () => {
  const rle = (value: number): Uint8Array => {
    const frame = new Uint8Array(66);
    frame.set([1, 0, 0, 0, 64]);
    frame.set([256 - 5, value], 64);
    return frame;
  };
  const damaged = rle(2).subarray(0, 60);
  const fragments = [new Uint8Array(0), rle(1), damaged, rle(3)];
  const file = imageFile({ NumberOfFrames: '3', PixelData: ['OB', { fragments }] }, '1.2.840.10008.1.2.5');
  const [begun, came]: [number[], number[]] = [[], []];
  const all = async () => {
    for await (const { frame } of renderFrames(file, { format: 'jpeg', onFrameStart: (one) => void begun.push(one) }))
      came.push(frame);
  };
  await assert.rejects(all, { code: 'IMAGING_CODESTREAM_INVALID' });
  assert.deepEqual([begun, came], [[1, 2], [1]]);
});
