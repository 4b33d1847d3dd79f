/** F24: storage commitment, push model (PS3.4 Annex J), against a scripted peer and against Orthanc as its user. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { after, before, describe, type TestContext, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { bytesSource } from '../../src/core/bytes.ts';
import { silentLogger } from '../../src/core/log.ts';
import { readDataSet } from '../../src/dicom/data-set-reader.ts';
import {
  type CommitmentLedger,
  type CommitmentResult,
  type CommitmentTransaction,
  FAILURE_REASON,
  parseCommitmentRequest,
  writeCommitmentReport,
} from '../../src/dimse/commitment.ts';
import { CommitmentReporter, type ReporterOptions } from '../../src/dimse/commitment-reporter.ts';
import { buildDataSet, buildPart10 } from '../build/data-set.ts';
import {
  associateAc,
  type BuildContext,
  CT_IMAGE_STORAGE,
  commandSet,
  EXPLICIT_LITTLE,
  IMPLICIT_LITTLE,
  pData,
  releaseRp,
} from '../build/pdu.ts';
import { type Orthanc, skipWithoutOrthanc, startOrthanc } from '../delivery/orthanc.ts';
import { type Listener, NEGOTIATION, startListener, until } from './listener.ts';
import { ScriptedPeer } from './scripted-peer.ts';

const TIMEOUT = { timeout: 60_000 };
const PUSH_MODEL = '1.2.840.10008.1.20.1';
const PUSH_INSTANCE = '1.2.840.10008.1.20.1.1';
const CONTEXT: BuildContext = [1, PUSH_MODEL, [EXPLICIT_LITTLE]];

class MemoryLedger implements CommitmentLedger {
  readonly remembered = new Map<string, CommitmentTransaction>();
  readonly outcomes: string[] = [];
  /** Instances that are in custody; undefined: nothing is decided yet. */
  custody: ReadonlySet<string> | undefined = new Set();

  async remember(transaction: CommitmentTransaction): Promise<'new' | 'same' | 'other'> {
    const earlier = this.remembered.get(transaction.transactionUid);
    if (earlier !== undefined) return isDeepStrictEqual(earlier.references, transaction.references) ? 'same' : 'other';
    this.remembered.set(transaction.transactionUid, transaction);
    return 'new';
  }

  async decide({ references }: CommitmentTransaction, last: boolean): Promise<CommitmentResult | undefined> {
    const custody = this.custody ?? (last ? new Set<string>() : undefined);
    if (custody === undefined) return undefined;
    return {
      committed: references.filter(({ sopInstanceUid }) => custody.has(sopInstanceUid)),
      failed: references
        .filter(({ sopInstanceUid }) => !custody.has(sopInstanceUid))
        .map((one) => ({ ...one, reason: FAILURE_REASON.noSuchObjectInstance })),
    };
  }

  async settle({ transactionUid }: CommitmentTransaction, outcome: string): Promise<void> {
    this.remembered.delete(transactionUid);
    this.outcomes.push(outcome);
  }

  async owed(): Promise<CommitmentTransaction[]> {
    return [...this.remembered.values()];
  }
}

function requestData(uids: readonly string[], transactionUid = '1.2.77'): Uint8Array {
  return buildDataSet([
    ['TransactionUID', transactionUid],
    [
      'ReferencedSOPSequence',
      uids.map((uid) => [
        ['ReferencedSOPClassUID', CT_IMAGE_STORAGE],
        ['ReferencedSOPInstanceUID', uid],
      ]),
    ],
  ]);
}

function action(overrides: { instance?: string; type?: number } = {}): Buffer {
  return commandSet([
    [0x0003, 'UI', PUSH_MODEL],
    [0x0100, 'US', 0x0130],
    [0x0110, 'US', 5],
    [0x0800, 'US', 1],
    [0x1001, 'UI', overrides.instance ?? PUSH_INSTANCE],
    [0x1008, 'US', overrides.type ?? 1],
  ]);
}

function reportRsp(messageId: number, id = 1): Buffer {
  const command = commandSet([
    [0x0100, 'US', 0x8100],
    [0x0120, 'US', messageId],
    [0x0800, 'US', 0x0101],
    [0x0900, 'US', 0],
  ]);
  return pData([{ id, command: true, last: true, data: command }]);
}

async function serve(
  context: TestContext,
  ledger: MemoryLedger,
  options: Partial<ReporterOptions> = {},
): Promise<Listener & { reporter: CommitmentReporter }> {
  const reporter = new CommitmentReporter(ledger, { addresses: new Map(), firstDelayMs: 20, ...options }, silentLogger);
  context.after(() => reporter.stop());
  const negotiation = { ...NEGOTIATION, furtherSopClasses: new Set([PUSH_MODEL]) };
  return { ...(await startListener(context, { negotiation }, { commitment: reporter })), reporter };
}

/** Someone who listens for reports and confirms them; the data sets it hears. */
async function reportListener(context: TestContext): Promise<{ port: number; heard: Buffer[] }> {
  const heard: Buffer[] = [];
  const server = createServer((socket) => {
    context.after(() => socket.destroy());
    const peer = new ScriptedPeer(socket);
    void (async () => {
      for (let pdu = await peer.next(); pdu !== undefined; pdu = await peer.next()) {
        if (pdu.type === 0x01) peer.send(associateAc([[1, 0, IMPLICIT_LITTLE]]));
        else if (pdu.type === 0x05) peer.send(releaseRp());
        else if (pdu.type === 0x04 && pdu.body[5] === 2) {
          heard.push(pdu.body.subarray(6));
          peer.send(reportRsp(1));
        }
      }
    })();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => server.close());
  return { port: (server.address() as AddressInfo).port, heard };
}

describe('F24: storage commitment', TIMEOUT, () => {
  test('a request is answered, then reported on its association: all committed', async (context) => {
    const ledger = new MemoryLedger();
    ledger.custody = new Set(['1.2.1', '1.2.2']);
    const { port } = await serve(context, ledger);
    const peer = await ScriptedPeer.associated(port, { contexts: [CONTEXT] });
    peer.message(1, action(), requestData(['1.2.1', '1.2.2']));
    const answer = await peer.response();
    assert.equal(answer.get(0x0100)?.readUInt16LE(), 0x8130);
    assert.equal(answer.get(0x0900)?.readUInt16LE(), 0);
    const report = await peer.response();
    assert.equal(report.get(0x0100)?.readUInt16LE(), 0x0100);
    assert.equal(report.get(0x1002)?.readUInt16LE(), 1, 'Event Type ID');
    const data = await peer.next();
    const dataSet = readDataSet(bytesSource(data?.body.subarray(6) ?? Buffer.alloc(0)), {
      explicitVr: true,
      littleEndian: true,
    });
    assert.equal(dataSet.string(0x00081195), '1.2.77');
    assert.deepEqual(
      dataSet.items(0x00081199).map((item) => item.string(0x00081155)),
      ['1.2.1', '1.2.2'],
    );
    assert.deepEqual(ledger.outcomes, []);
    peer.send(reportRsp(report.get(0x0110)?.readUInt16LE() ?? 0));
    await until(() => ledger.outcomes.length === 1);
    assert.deepEqual(ledger.outcomes, ['reported']);
  });

  test('a sender that releases is told on an association of ours, what failed with its reason', async (context) => {
    const ledger = new MemoryLedger();
    ledger.custody = undefined;
    const reports = await reportListener(context);
    const addresses = new Map([['PEER', { host: '127.0.0.1', port: reports.port }]]);
    const { port } = await serve(context, ledger, { addresses });
    const peer = await ScriptedPeer.associated(port, { contexts: [CONTEXT] });
    peer.message(1, action(), requestData(['1.2.1', '1.2.2']));
    assert.equal(await peer.status(), 0);
    peer.destroy();
    ledger.custody = new Set(['1.2.1']);
    await until(() => ledger.outcomes.length === 1);
    const [heard = Buffer.alloc(0)] = reports.heard;
    const dataSet = readDataSet(bytesSource(heard), { explicitVr: false, littleEndian: true });
    const [failed] = dataSet.items(0x00081198);
    assert.equal(failed?.string(0x00081155), '1.2.2');
    assert.equal(failed?.number(0x00081197), 0x0112);
    assert.equal(dataSet.items(0x00081199)[0]?.string(0x00081155), '1.2.1');
  });

  test('what is owed at a stop is reported after the next start, and tried again while nobody listens', async (context) => {
    const ledger = new MemoryLedger();
    ledger.custody = new Set(['1.2.1']);
    const transaction = {
      transactionUid: '1.2.9',
      callingAeTitle: 'PEER',
      calledAeTitle: 'LETHE',
      customer: undefined,
      requestedAtMs: Date.now(),
    };
    await ledger.remember({ ...transaction, references: [{ sopClassUid: CT_IMAGE_STORAGE, sopInstanceUid: '1.2.1' }] });
    const reports = await reportListener(context);
    const addresses = new Map([['PEER', { host: '127.0.0.1', port: 1 }]]);
    const reporter = new CommitmentReporter(ledger, { addresses, firstDelayMs: 20 }, silentLogger);
    context.after(() => reporter.stop());
    await reporter.start();
    await new Promise((resolve) => setTimeout(resolve, 60));
    assert.deepEqual(ledger.outcomes, []);
    addresses.set('PEER', { host: '127.0.0.1', port: reports.port });
    await until(() => ledger.outcomes.length === 1);
    assert.equal(reports.heard.length, 1);
  });

  test('a transaction UID that is in use for other instances fails with 0131, and the first is kept', async (context) => {
    const ledger = new MemoryLedger();
    ledger.custody = undefined;
    const { port } = await serve(context, ledger);
    const peer = await ScriptedPeer.associated(port, { contexts: [CONTEXT] });
    peer.message(1, action(), requestData(['1.2.1']));
    assert.equal(await peer.status(), 0);
    peer.message(1, action(), requestData(['1.2.2']));
    assert.equal(await peer.status(), 0);
    assert.equal((await peer.response()).get(0x1002)?.readUInt16LE(), 2, 'Event Type ID');
    const data = await peer.next();
    const options = { explicitVr: true, littleEndian: true };
    const [failed] = readDataSet(bytesSource(data?.body.subarray(6) ?? Buffer.alloc(0)), options).items(0x00081198);
    assert.deepEqual([failed?.string(0x00081155), failed?.number(0x00081197)], ['1.2.2', 0x0131]);
    assert.equal(ledger.remembered.get('1.2.77')?.references[0]?.sopInstanceUid, '1.2.1');
  });

  test('what is not decided in time is reported as failed', async (context) => {
    const ledger = new MemoryLedger();
    ledger.custody = undefined;
    const { port } = await serve(context, ledger, { decideWithinMs: 60 });
    const peer = await ScriptedPeer.associated(port, { contexts: [CONTEXT] });
    peer.message(1, action(), requestData(['1.2.1']));
    assert.equal(await peer.status(), 0);
    const report = await peer.response();
    assert.equal(report.get(0x1002)?.readUInt16LE(), 2, 'Event Type ID');
    peer.send(reportRsp(report.get(0x0110)?.readUInt16LE() ?? 0));
    await until(() => ledger.outcomes.length === 1);
  });

  test('a peer that cannot be told is given up after the last attempt', async (context) => {
    const ledger = new MemoryLedger();
    const { port } = await serve(context, ledger, { attemptsMax: 2, firstDelayMs: 5 });
    const peer = await ScriptedPeer.associated(port, { contexts: [CONTEXT] });
    peer.message(1, action(), requestData(['1.2.1']));
    assert.equal(await peer.status(), 0);
    peer.destroy();
    await until(() => ledger.outcomes.length === 1);
    assert.deepEqual(ledger.outcomes, ['given up']);
  });

  for (const [what, command, data, status] of [
    ['another instance', action({ instance: '1.2.3' }), requestData(['1.2.1']), 0x0112],
    ['another action', action({ type: 2 }), requestData(['1.2.1']), 0x0123],
    ['no references', action(), requestData([]), 0x0115],
    ['no data set', action(), Buffer.alloc(40, 0xff), 0x0115],
  ] as const)
    test(`${what} is refused with ${status.toString(16)} and nothing is remembered`, async (context) => {
      const ledger = new MemoryLedger();
      const { port } = await serve(context, ledger);
      const peer = await ScriptedPeer.associated(port, { contexts: [CONTEXT] });
      peer.message(1, command, data);
      assert.equal(await peer.status(), status);
      assert.equal(ledger.remembered.size, 0);
    });

  test('where it is not served its context is refused', async (context) => {
    const { port } = await startListener(context);
    const peer = await ScriptedPeer.associated(port, { contexts: [CONTEXT] });
    peer.message(1, action(), requestData(['1.2.1']));
    assert.equal((await peer.next())?.type, 0x07);
  });

  test('requests and reports survive their encodings', () => {
    for (const transferSyntax of [IMPLICIT_LITTLE, EXPLICIT_LITTLE, '1.2.840.10008.1.2.2']) {
      const committed = [{ sopClassUid: CT_IMAGE_STORAGE, sopInstanceUid: '1.2.1' }];
      const { bytes } = writeCommitmentReport('1.2.77', { committed, failed: [] }, transferSyntax);
      // The request and the report name transaction and references alike.
      assert.deepEqual(parseCommitmentRequest(bytes, transferSyntax), {
        transactionUid: '1.2.77',
        references: committed,
      });
    }
  });
});

describe('F24: Orthanc as the user', { skip: skipWithoutOrthanc(), timeout: 60_000 }, () => {
  let orthanc: Orthanc;
  before(async () => {
    orthanc = await startOrthanc();
  });
  after(() => orthanc.kill());

  async function call(method: string, path: string, body?: string | Buffer): Promise<string> {
    const url = orthanc.dicomWeb.replace('/dicom-web', path);
    return (await fetch(url, { method, ...(body === undefined ? {} : { body }) })).text();
  }

  test('asks for commitment and hears that all is committed', async (context) => {
    const ledger = new MemoryLedger();
    ledger.custody = new Set(['1.2.3.8']);
    const addresses = new Map([['ORTHANC', { host: '127.0.0.1', port: orthanc.dicomPort }]]);
    const { port } = await serve(context, ledger, { addresses });
    const elements = [
      ['SOPClassUID', CT_IMAGE_STORAGE],
      ['SOPInstanceUID', '1.2.3.8'],
      ['PatientID', 'X'],
      ['StudyInstanceUID', '1.2.3.4'],
      ['SeriesInstanceUID', '1.2.3.4.5'],
    ] as const;
    const { ID } = JSON.parse(await call('POST', '/instances', Buffer.from(buildPart10(elements))));
    await call('PUT', '/modalities/lethe', JSON.stringify({ AET: 'LETHE', Host: '127.0.0.1', Port: port }));
    const asked = JSON.parse(
      await call('POST', '/modalities/lethe/storage-commitment', JSON.stringify({ Resources: [ID], Timeout: 10 })),
    );
    await until(() => ledger.outcomes.length === 1);
    const { Status, Success } = JSON.parse(await call('GET', `/storage-commitment/${asked.ID}`));
    assert.equal(Status, 'Success');
    assert.equal(Success.length, 1);
  });
});
