import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { DeliverableInstance } from '../../src/delivery/destination.ts';
import { type DicomOptions, dicomDestination } from '../../src/delivery/dicom/dicom.ts';
import { deliverable } from './deliverable.ts';
import { destinationContract } from './destination.contract.ts';
import { dicomFile } from './dicom-file.ts';
import { freePort, type Orthanc, skipWithoutOrthanc, startOrthanc } from './orthanc.ts';

const signal = new AbortController().signal;
let count = 0;

function instance(bytes?: number): DeliverableInstance {
  count += 1;
  const sopInstanceUid = `1.2.3.5.${process.pid}.${count}`;
  return deliverable({ sopInstanceUid, dicom: dicomFile(sopInstanceUid, bytes) });
}

function destination(port: number, options: Partial<DicomOptions> = {}) {
  const titles = { calledAeTitle: 'ORTHANC', callingAeTitle: 'LETHE' };
  return dicomDestination('pacs', { host: '127.0.0.1', port, ...titles, connectTimeoutMs: 2_000, ...options });
}

/** What follows the file meta information, whose implementation is the storing side's own. */
function dataSetOf(file: Buffer): Buffer {
  return file.subarray(132 + 12 + file.readUInt32LE(140));
}

describe('against Orthanc', { skip: skipWithoutOrthanc() }, () => {
  let orthanc: Orthanc;
  before(async () => {
    orthanc = await startOrthanc();
  });
  after(() => orthanc.kill());

  destinationContract('dicom', {
    instance: () => instance(),
    open: async () => {
      await orthanc.clear();
      return {
        destination: destination(orthanc.dicomPort),
        stored: async ({ manifest }) => {
          const file = await orthanc.file(manifest.sopInstanceUid);
          return file === undefined ? undefined : dataSetOf(file);
        },
        expected: ({ manifest }) => dataSetOf(dicomFile(manifest.sopInstanceUid)),
        count: async () => (await orthanc.instances()).length,
        down: () => orthanc.kill(),
        dispose: async () => {
          if ((await destination(orthanc.dicomPort).probe(signal)) !== undefined) orthanc = await startOrthanc();
        },
      };
    },
  });

  test('an instance that the peer has no context for is held and its neighbours are stored', async () => {
    await orthanc.clear();
    const unknown = deliverable({
      dicom: dicomFile('1.2.3.6.1'),
      sopInstanceUid: '1.2.3.6.1',
      transferSyntaxUid: '1.2.3.4.5',
    });
    const outcomes = await destination(orthanc.dicomPort).deliver([unknown, instance()], signal);
    assert.equal(outcomes[0]?.kind === 'failed' && outcomes[0].code, 'DIMSE_NO_CONTEXT');
    assert.equal(outcomes[1]?.kind, 'delivered');
  });

  test('more kinds of instances than an association has contexts go over several', async () => {
    await orthanc.clear();
    const kinds = Array.from({ length: 130 }, (_value, index) =>
      deliverable({ dicom: dicomFile(`1.2.3.7.${index}`), transferSyntaxUid: `1.2.3.4.5.${index}` }),
    );
    const outcomes = await destination(orthanc.dicomPort).deliver([...kinds, instance()], signal);
    assert.equal(outcomes.length, 131);
    assert.ok(
      outcomes.slice(0, 130).every((outcome) => outcome.kind === 'failed' && outcome.code === 'DIMSE_NO_CONTEXT'),
    );
    assert.equal(outcomes[130]?.kind, 'delivered');
  });
});

test('a port on which nobody listens is unreachable', async () => {
  const port = await freePort();
  const outcomes = await destination(port).deliver([instance(), instance()], signal);
  assert.deepEqual(
    outcomes.map((outcome) => (outcome.kind === 'failed' ? outcome.code : outcome.kind)),
    ['DELIVERY_UNREACHABLE', 'DELIVERY_UNREACHABLE'],
  );
});
