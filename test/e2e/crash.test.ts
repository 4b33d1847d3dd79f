/** kill -9 in the middle of sending: what was acknowledged is delivered after the restart, and nothing unsafe ever was. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isTaken } from '../../src/cli/send.ts';
import { storeFiles } from '../../src/cli/store-files.ts';
import { bytesSource } from '../../src/core/bytes.ts';
import { buildPart10 } from '../build/data-set.ts';
import { everythingUnder, startRig } from '../support/gateway-process.ts';

const INSTANCES = 500;
const CANARY = 'Zzyzxcanary';

function instance(number: number): Uint8Array {
  const pixels = Uint8Array.from({ length: 64 * 64 * 2 }, (_, index) => (index * 7 + number) & 0x0f);
  return buildPart10([
    ['SOPClassUID', '1.2.840.10008.5.1.4.1.1.2'],
    ['SOPInstanceUID', `2.25.7700${number}`],
    ['StudyDate', '20260101'],
    ['Modality', 'CT'],
    ['PatientName', `${CANARY}^N${number}`],
    ['PatientID', `CANARYID${Math.floor(number / 100)}`],
    ['StudyInstanceUID', `2.25.8800${Math.floor(number / 100)}`],
    ['SeriesInstanceUID', `2.25.9900${Math.floor(number / 50)}`],
    ['SamplesPerPixel', [1]],
    ['PhotometricInterpretation', 'MONOCHROME2'],
    ['Rows', [64]],
    ['Columns', [64]],
    ['BitsAllocated', [16]],
    ['BitsStored', [12]],
    ['HighBit', [11]],
    ['PixelRepresentation', [0]],
    ['RescaleIntercept', '0'],
    ['RescaleSlope', '1'],
    ['PixelData', 'OW', pixels],
  ]);
}

/** Sends all over two associations, counting what was acknowledged; after a loss of the peer it stops. */
async function sendAll(
  port: number,
  numbers: readonly number[],
  onAcknowledged: (number: number) => void,
): Promise<void> {
  const items = numbers.map((number) => ({
    name: String(number),
    open: () => ({ ...bytesSource(instance(number)), close: () => undefined }),
  }));
  for await (const result of storeFiles(items, {
    host: '127.0.0.1',
    port,
    callingAeTitle: 'CRASH',
    calledAeTitle: 'LETHE',
    parallel: 2,
  })) {
    if (isTaken(result)) onAcknowledged(Number(result.name));
  }
}

const ROUNDS = process.env['LETHE_LONG'] === '1' ? 100 : 3;

test(`kill -9 while ${INSTANCES} instances are being sent, ${ROUNDS} times: every acknowledged instance is delivered`, async (t) => {
  const rig = await startRig(t);
  const acknowledged = new Set<number>();
  let rest = Array.from({ length: INSTANCES }, (_, number) => number);
  for (let round = 0; round < ROUNDS && rest.length > 0; round++) {
    const target =
      acknowledged.size + 1 + Math.floor(Math.random() * Math.max(1, Math.floor(INSTANCES / (ROUNDS + 1))));
    const killed = Promise.withResolvers<void>();
    const sending = sendAll(rig.dicomPort, rest, (number) => {
      acknowledged.add(number);
      if (acknowledged.size === target) void rig.kill('SIGKILL').then(() => killed.resolve());
    });
    await Promise.race([killed.promise, sending]);
    await rig.kill('SIGKILL');
    await sending;
    await rig.start();
    rest = rest.filter((number) => !acknowledged.has(number));
  }
  await sendAll(rig.dicomPort, rest, (number) => acknowledged.add(number));
  assert.equal(acknowledged.size, INSTANCES);
  const counts = await rig.quiet();
  assert.equal(counts.held, 0);
  assert.equal(counts.prepared, INSTANCES, JSON.stringify(counts));
  assert.equal(counts.deliveries['cloud']?.['delivered'], INSTANCES);
  const { studies } = (await (await fetch(`http://127.0.0.1:${rig.backend.port}/v1/studies`)).json()) as {
    studies: { series: { images: unknown[] }[] }[];
  };
  const images = studies.flatMap(({ series }) => series.flatMap((one) => one.images));
  assert.equal(images.length, INSTANCES);
  assert.equal(everythingUnder(rig.backendDir).toString('latin1').includes(CANARY), false);
});
