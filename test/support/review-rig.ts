/** A gateway whose deliveries are looked at pixel by pixel, for tests of the review of held images. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import sharp from 'sharp';
import { type BuildElement, buildPart10 } from '../build/data-set.ts';
import { type Rig, startRig } from './gateway-process.ts';

const CAPTURE = '1.2.840.10008.5.1.4.1.1.7';
export const ROWS = 80;
export const COLUMNS = 240;
export const DRAWN = '36,26,152,22;200,60,20,10';
export const DRAWN_BOXES = [
  { x: 36, y: 26, width: 152, height: 22 },
  { x: 200, y: 60, width: 20, height: 10 },
];

/** What a test image of 8 bits is like apart from its pixels. */
export interface CaptureOptions {
  readonly more?: readonly BuildElement[];
  readonly sopClass?: string;
  readonly transferSyntax?: string;
  readonly model?: string;
}

export function capture(
  number: number,
  pixels: Uint8Array | { readonly fragments: readonly Uint8Array[] },
  { more = [], sopClass = CAPTURE, transferSyntax = '1.2.840.10008.1.2.1', model = 'Scan 3' }: CaptureOptions = {},
): Uint8Array {
  const elements: readonly BuildElement[] = [
    ['SOPClassUID', sopClass],
    ['SOPInstanceUID', `2.25.60${number}`],
    ['Modality', 'OT'],
    ['ConversionType', 'WSD'],
    ['Manufacturer', 'ACME'],
    ...more,
    ['ManufacturerModelName', model],
    ['PatientName', 'Rowntree^Odile'],
    ['PatientID', 'RV-0001'],
    ['StudyInstanceUID', '2.25.61'],
    ['SeriesInstanceUID', '2.25.62'],
    ['SamplesPerPixel', 1],
    ['PhotometricInterpretation', 'MONOCHROME2'],
    ['Rows', ROWS],
    ['Columns', COLUMNS],
    ['BitsAllocated', 8],
    ['BitsStored', 8],
    ['HighBit', 7],
    ['PixelRepresentation', 0],
    // Each stored value is shown as itself (PS3.3 §C.11.2.1.2.1).
    ['WindowCenter', '128'],
    ['WindowWidth', '256'],
    ['PixelData', 'OB', pixels],
  ];
  return buildPart10(elements, { transferSyntax });
}

export function startReviewRig(t: TestContext): Promise<Rig> {
  return startRig(t, { configuration: { rendering: { format: 'png' } } });
}

export async function send(rig: Rig, file: Uint8Array): Promise<void> {
  const url = `http://127.0.0.1:${rig.httpPort}/receive_dicom`;
  const answer = await fetch(url, { method: 'POST', body: Buffer.from(file) });
  assert.equal(answer.status, 200);
}

interface Summary {
  readonly id: string;
  readonly reason?: string;
}

export async function theHeldOne(rig: Rig): Promise<Summary> {
  const { instances } = await rig.get<{ instances: Summary[] }>('/api/v1/instances?state=held');
  const [one, ...more] = instances;
  assert.ok(one !== undefined && more.length === 0, `${instances.length} are held`);
  return one;
}

interface Detail {
  readonly state: string;
  readonly history: readonly { readonly event: string; readonly detail: string }[];
}

export async function eventsOf(rig: Rig, id: string): Promise<ReadonlyMap<string, string>> {
  const { history } = await rig.get<Detail>(`/api/v1/instances/${id}`);
  return new Map(history.map(({ event, detail }) => [event, detail]));
}

/** The grey levels of each image that the backend has. */
export async function delivered(rig: Rig): Promise<Uint8Array[]> {
  const base = `http://127.0.0.1:${rig.backend.port}/v1`;
  const { studies } = (await (await fetch(`${base}/studies`)).json()) as {
    studies: { series: { images: { imageInstanceUid: string }[] }[] }[];
  };
  const images = studies.flatMap(({ series }) => series.flatMap((one) => one.images));
  return Promise.all(
    images.map(async ({ imageInstanceUid }) => {
      const png = await (await fetch(`${base}/images/${imageInstanceUid}/file`)).arrayBuffer();
      return sharp(png).extractChannel(0).raw().toBuffer();
    }),
  );
}
