/** What real senders wrote on one connection (fuzz/corpus/pdu), replayed whole, in single bytes, and damaged. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { TIMEOUT } from './conversation.ts';
import { NEGOTIATION, startListener, until } from './listener.ts';
import { ScriptedPeer } from './scripted-peer.ts';

const FOLDER = join(import.meta.dirname, '../../fuzz/corpus/pdu');
const FILES = globSync('*.bin', { cwd: FOLDER }).toSorted();

/** Instances that each conversation stores; the others store none. */
const STORED: Readonly<Record<string, number>> = {
  'dcmtk-dcmsend.bin': 2,
  'dcmtk-storescu.bin': 2,
  'dcmtk-storescu-abort.bin': 1,
  'dcmtk-storescu-implicit.bin': 1,
  'orthanc-store.bin': 1,
};

const OPTIONS = {
  negotiation: { ...NEGOTIATION, furtherSopClasses: new Set(['1.2.840.10008.1.20.1']) },
  maxAssociations: 1000,
  maxAssociationsPerPeer: 1000,
};

/** Where each PDU begins: PDU-type, reserved, PDU-length, variable field (PS3.8 §9.3.1). */
function pdusOf(bytes: Buffer): number[] {
  const starts: number[] = [];
  for (let at = 0; at + 6 <= bytes.length; at += 6 + bytes.readUInt32BE(at + 2)) starts.push(at);
  return starts;
}

async function replay(context: TestContext, bytes: Buffer, pieceBytes: number) {
  const listener = await startListener(context, OPTIONS);
  const peer = await ScriptedPeer.connect(listener.port);
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    peer.send(bytes.subarray(at, at + pieceBytes));
    if (pieceBytes < 10) await new Promise((resolve) => setImmediate(resolve));
  }
  peer.socket.end();
  await peer.closed();
  await until(() => listener.scp.associationCount === 0);
  return listener;
}

describe('F6: what senders wrote', TIMEOUT, () => {
  assert.ok(FILES.length >= 9);
  for (const file of FILES) {
    const bytes = readFileSync(join(FOLDER, file));
    const released = bytes[pdusOf(bytes).at(-1) ?? 0] === 0x05;
    for (const pieceBytes of [65_536, 1])
      test(`${basename(file)} in pieces of ${pieceBytes}: stored and ended as the sender wanted`, async (context) => {
        const { stored, log } = await replay(context, bytes, pieceBytes);
        assert.equal(stored.length, STORED[file] ?? 0);
        const last = released ? 'association.released' : 'association.aborted';
        await until(() => log.some(({ event }) => event === last));
      });
  }
});

describe('F25: a length that is wrong', TIMEOUT, () => {
  const bytes = readFileSync(join(FOLDER, 'dcmtk-storescu.bin'));
  // A-ASSOCIATE-RQ, then command and data set of two instances, then A-RELEASE-RQ.
  const storedBefore = [0, 0, 0, 1, 1, 2];
  for (const [index, start] of pdusOf(bytes).entries())
    test(`of PDU ${index} ends the association and undoes nothing that was stored`, async (context) => {
      const { scp, port, stored } = await startListener(context, OPTIONS);
      const right = bytes.readUInt32BE(start + 2);
      for (const length of [0, right - 1, right + 1, 0xffffffff]) {
        const damaged = Buffer.from(bytes);
        damaged.writeUInt32BE(length, start + 2);
        const before = stored.length;
        const peer = await ScriptedPeer.connect(port);
        peer.socket.end(damaged);
        await peer.closed();
        await until(() => scp.associationCount === 0);
        assert.ok(stored.length - before >= (storedBefore[index] ?? 0), `length ${length}`);
      }
    });
});

test(
  'F25: an abort or a reset after every byte of a conversation leaves nothing behind and undoes nothing',
  TIMEOUT,
  async (context) => {
    const bytes = readFileSync(join(FOLDER, 'dcmtk-dcmsend.bin'));
    const { scp, port, log, ended, stored } = await startListener(context, OPTIONS);
    const abort = Buffer.from([7, 0, 0, 0, 0, 4, 0, 0, 0, 0]);
    const talk = async (cutAt: number, how: number) => {
      const peer = await ScriptedPeer.connect(port);
      await new Promise<void>((resolve) => peer.socket.write(bytes.subarray(0, cutAt), () => resolve()));
      if (how === 0) peer.socket.resetAndDestroy();
      else if (how === 1) peer.socket.end(abort);
      else peer.socket.end();
      await peer.closed();
    };
    for (let cutAt = 0; cutAt <= bytes.length; cutAt += 16)
      await Promise.all(
        Array.from({ length: 16 }, (_value, offset) => talk(Math.min(cutAt + offset, bytes.length), offset % 3)),
      );
    await until(() => scp.associationCount === 0);
    const accepted = () => log.filter(({ event }) => event === 'association.accepted').length;
    await until(() => accepted() === ended.length);
    assert.ok(stored.length > 0);
  },
);
