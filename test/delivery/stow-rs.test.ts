import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type DeliverableInstance, dicomFileOf } from '../../src/delivery/destination.ts';
import { parseStoreResponse } from '../../src/delivery/stow-rs/store-response.ts';
import { stowRsDestination } from '../../src/delivery/stow-rs/stow-rs.ts';
import { deliverable } from './deliverable.ts';
import { destinationContract } from './destination.contract.ts';
import { dicomFile } from './dicom-file.ts';
import { type Orthanc, skipWithoutOrthanc, startOrthanc } from './orthanc.ts';
import { type ScriptedAnswer, type SeenRequest, scriptedServer } from './scripted-server.ts';

const signal = new AbortController().signal;
let count = 0;

function instance(bytes?: number): DeliverableInstance {
  count += 1;
  const sopInstanceUid = `1.2.3.4.${process.pid}.${count}`;
  return deliverable({ sopInstanceUid, dicom: dicomFile(sopInstanceUid, bytes) });
}

const fileOf = ({ manifest, open }: DeliverableInstance) => {
  const source = open(dicomFileOf(manifest));
  return Buffer.from(source.read(0, source.size));
};

const skip = skipWithoutOrthanc();
describe('against Orthanc', { skip }, () => {
  let orthanc: Orthanc;
  before(async () => {
    orthanc = await startOrthanc();
  });
  after(() => orthanc.kill());

  destinationContract('stow-rs', {
    instance: () => instance(),
    open: async () => {
      await orthanc.clear();
      const destination = stowRsDestination('pacs', { url: orthanc.dicomWeb });
      return {
        destination,
        stored: ({ manifest }) => orthanc.file(manifest.sopInstanceUid),
        expected: fileOf,
        count: async () => (await orthanc.instances()).length,
        // The last of Orthanc for this test: others start their own.
        down: async () => {
          await orthanc.kill();
        },
        dispose: async () => {
          if (await destinationIsDown(orthanc)) orthanc = await startOrthanc();
        },
      };
    },
  });

  test('what is no DICOM is refused, and its neighbours are stored', async () => {
    await orthanc.clear();
    const destination = stowRsDestination('pacs', { url: orthanc.dicomWeb });
    const [good, bad] = [instance(), deliverable({ dicom: Buffer.from('not DICOM') })];
    const outcomes = await destination.deliver([bad, good], signal);
    await destination.close();
    assert.deepEqual(
      outcomes.map((outcome) => outcome.kind),
      ['failed', 'delivered'],
    );
    assert.equal((await orthanc.instances()).length, 1);
  });
});

async function destinationIsDown({ dicomWeb }: Orthanc): Promise<boolean> {
  return fetch(`${dicomWeb}/studies`).then(
    () => false,
    () => true,
  );
}

function moduleOf(stored: readonly string[], failed: Readonly<Record<string, number>>): string {
  const uid = (value: string) => ({ '00081155': { vr: 'UI', Value: [value] } });
  return JSON.stringify({
    '00081199': { vr: 'SQ', Value: stored.map((one) => uid(one)) },
    '00081198': {
      vr: 'SQ',
      Value: Object.entries(failed).map(([one, reason]) => ({
        ...uid(one),
        '00081197': { vr: 'US', Value: [reason] },
      })),
    },
  });
}

async function answered(answer: ScriptedAnswer, batch: readonly DeliverableInstance[]) {
  const server = await scriptedServer([answer]);
  const destination = stowRsDestination('pacs', { url: `${server.url}/dicom-web` });
  const outcomes = await destination.deliver(batch, signal);
  await destination.close();
  await server.close();
  return { outcomes, requests: server.requests };
}

test('each instance is judged by what the response module says of it', async () => {
  const [stored, refused, full, silent] = [instance(), instance(), instance(), instance()];
  const body = moduleOf([stored.manifest.sopInstanceUid], {
    [refused.manifest.sopInstanceUid]: 0xc000,
    [full.manifest.sopInstanceUid]: 0xa700,
  });
  const { outcomes, requests } = await answered({ status: 202, body }, [refused, stored, full, silent]);
  assert.deepEqual(
    outcomes.map((outcome) => (outcome.kind === 'failed' ? [outcome.code, outcome.detail] : outcome.kind)),
    [
      ['DELIVERY_REJECTED', 'status=C000H'],
      'delivered',
      ['DELIVERY_BUSY', 'status=A700H'],
      ['DELIVERY_BUSY', 'the answer does not mention the instance'],
    ],
  );
  assert.equal(requests.length, 2, 'who was not mentioned is asked about alone');
});

test('the request is multipart/related with one application/dicom part an instance', async () => {
  const batch = [instance(), instance(65_000)];
  const { requests } = await answered({ status: 200 }, batch);
  const [request] = requests;
  assert.equal(request?.url, '/dicom-web/studies');
  assert.equal(Number(request?.headers['content-length']), request?.body.length);
  assert.deepEqual(
    partsOf(request),
    batch.map((one) => ['application/dicom', fileOf(one)]),
  );
});

test('a failure that the server cannot name is that of the instance that came alone', async () => {
  const body = '{"00081198":{"vr":"SQ","Value":[{"00081197":{"vr":"US","Value":[49152]}}]}}';
  const { outcomes, requests } = await answered({ status: 409, body }, [instance(), instance()]);
  for (const outcome of outcomes) {
    assert.deepEqual(outcome, { kind: 'failed', code: 'DELIVERY_REJECTED', detail: 'status=C000H' });
  }
  assert.equal(requests.length, 3);
});

test('200 alone is no receipt: the answer names the instance or is empty', async () => {
  const one = instance();
  const xml = `<NativeDicomModel><Value number="1">${one.manifest.sopInstanceUid}</Value></NativeDicomModel>`;
  const cases: [string, string][] = [
    ['', 'delivered'],
    [xml, 'delivered'],
    ['<html>log in</html>', 'failed'],
    [moduleOf([], {}), 'failed'],
    [moduleOf(['1.2'], {}), 'failed'],
  ];
  for (const [body, kind] of cases) {
    const { outcomes } = await answered({ status: 200, body }, [one]);
    assert.equal(outcomes[0]?.kind, kind, body);
  }
});

test('409 without a module is a refusal that is taken apart', async () => {
  const { outcomes, requests } = await answered({ status: 409, body: '<xml/>' }, [instance(), instance()]);
  assert.ok(outcomes.every((outcome) => outcome.kind === 'failed' && outcome.code === 'DELIVERY_REJECTED'));
  assert.equal(requests.length, 3);
});

test('among the failed nothing but a duplicate is a receipt, whatever the reason says', () => {
  const response = parseStoreResponse(
    Buffer.from(moduleOf([], { '1.1': 0, '1.2': 0xb000, '1.3': 0x0111, '1.4': 0xa700 })),
  );
  const kinds = ['1.1', '1.2', '1.3', '1.4'].map((uid) => response?.named.get(uid)?.kind);
  assert.deepEqual(kinds, ['failed', 'failed', 'delivered', 'failed']);
});

test('what is no response module is told apart from one', () => {
  for (const text of ['', '<html>', '[]', 'null', '{}', '{"00081190":{"vr":"UR"}}']) {
    assert.equal(parseStoreResponse(Buffer.from(text)), undefined, text);
  }
  assert.equal(parseStoreResponse(Buffer.from('{"00081199":{"vr":"SQ","Value":[null,5,{}]}}'))?.named.size, 0);
});

/** Content type and bytes of each part, read as RFC 2046 §5.1.1 describes them. */
function partsOf(request: SeenRequest | undefined): [string | undefined, Buffer][] {
  const boundary = /boundary=([0-9a-f]+)$/.exec(request?.headers['content-type'] ?? '')?.[1];
  assert.ok(boundary !== undefined && request !== undefined);
  const pieces = `\r\n${request.body.toString('latin1')}`.split(`\r\n--${boundary}`);
  assert.deepEqual([pieces[0], pieces.at(-1)], ['', '--\r\n']);
  return pieces.slice(1, -1).map((piece) => {
    const end = piece.indexOf('\r\n\r\n');
    const type = /Content-Type: (.*)/.exec(piece.slice(0, end))?.[1];
    return [type, Buffer.from(piece.slice(end + 4), 'latin1')];
  });
}
