import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { generate } from 'selfsigned';
import type { DeliverableInstance, DeliveryOutcome } from '../../src/delivery/destination.ts';
import { type DicomOptions, dicomDestination } from '../../src/delivery/dicom/dicom.ts';
import { skipWithoutProgram } from '../support/peers.ts';
import { withStorescp } from '../support/storescp.ts';
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

const skip = skipWithoutProgram('storescp');
const codes = (outcomes: readonly DeliveryOutcome[]) =>
  outcomes.map((outcome) => (outcome.kind === 'failed' ? outcome.code : outcome.kind));

test('DCMTK takes what is sent, in pieces as large as it allows', { skip }, async () => {
  await withStorescp(['--max-pdu', '4096'], async (port) => {
    const outcomes = await destination(port).deliver([instance(60_000), instance(2)], signal);
    assert.deepEqual(codes(outcomes), ['delivered', 'delivered']);
  });
});

test('a peer that refuses associations is owed everything', { skip }, async () => {
  await withStorescp(['--refuse'], async (port) => {
    const outcomes = await destination(port).deliver([instance(), instance()], signal);
    assert.deepEqual(codes(outcomes), ['DIMSE_ASSOCIATION_REJECTED', 'DIMSE_ASSOCIATION_REJECTED']);
    assert.equal(await destination(port).probe(signal), 'DIMSE_ASSOCIATION_REJECTED');
  });
});

test('a peer that breaks on every instance is given up after three, all are ambiguous', { skip }, async () => {
  await withStorescp(['--abort-after'], async (port) => {
    const outcomes = await destination(port).deliver(
      Array.from({ length: 6 }, () => instance()),
      signal,
    );
    assert.deepEqual(new Set(codes(outcomes)), new Set(['DIMSE_ASSOCIATION_ABORTED']));
    assert.equal(outcomes.length, 6);
  });
});

test('a peer that answers too late is a timeout', { skip }, async () => {
  await withStorescp(['--sleep-during', '30'], async (port) => {
    const outcomes = await destination(port, { dimseTimeoutMs: 200 }).deliver([instance()], signal);
    assert.deepEqual(codes(outcomes), ['DIMSE_TIMEOUT']);
  });
});

test('stopping ends a C-STORE that waits, and a connection that is not answered', { skip }, async () => {
  await withStorescp(['--sleep-during', '30'], async (port) => {
    // The first is busy with its sleep for the second, which therefore waits for its association.
    for (const _time of [1, 2]) {
      const stopped = await destination(port, { connectTimeoutMs: 60_000 }).deliver(
        [instance(), instance()],
        AbortSignal.timeout(300),
      );
      assert.ok(stopped.every((outcome) => outcome.kind === 'failed'));
    }
  });
});

test('over TLS the peer must be who it says, and we may show who we are', { skip }, async () => {
  const options = {
    keySize: 2048,
    extensions: [{ name: 'subjectAltName' as const, altNames: [{ type: 7 as const, ip: '127.0.0.1' }] }],
  };
  const [theirs, ours] = [
    await generate([{ name: 'commonName', value: 'peer' }], options),
    await generate([{ name: 'commonName', value: 'us' }], options),
  ];
  const folder = mkdtempSync(join(tmpdir(), 'lethe-tls-'));
  const path = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const files = [
    path('key.pem', theirs.private),
    path('cert.pem', theirs.cert),
    '-rc',
    '+cf',
    path('ours.pem', ours.cert),
  ];
  await withStorescp(['+tls', ...files], async (port) => {
    const tls = { ca: theirs.cert, cert: ours.cert, key: ours.private };
    assert.deepEqual(codes(await destination(port, { tls }).deliver([instance()], signal)), ['delivered']);
    const stranger = await destination(port, { tls: { ...tls, ca: ours.cert } }).deliver([instance()], signal);
    assert.deepEqual(codes(stranger), ['DELIVERY_UNREACHABLE']);
    const anonymous = await destination(port, { tls: { ca: theirs.cert } }).deliver([instance()], signal);
    assert.notDeepEqual(codes(anonymous), ['delivered']);
  });
  rmSync(folder, { recursive: true });
});
