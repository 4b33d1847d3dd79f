/** The association over a stream that counts what would be system calls, and the memory that a long instance holds. */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { describe, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ASSOCIATION_TIMERS, Association } from '../../src/dimse/association.ts';
import { negotiate } from '../../src/dimse/negotiation.ts';
import { dataTfHeader } from '../../src/dimse/pdu-writer.ts';
import { associateRq, pData, storeRq, u8, u32 } from '../build/pdu.ts';
import { CT, TIMEOUT } from './conversation.ts';
import { NEGOTIATION, startListener, until } from './listener.ts';
import { ScriptedPeer } from './scripted-peer.ts';

/** What Association needs of a socket; `calls` are the writes that would go to the kernel, each with its bytes. */
class CountingSocket extends Duplex {
  readonly calls: Buffer[] = [];
  noDelay = false;
  readonly connecting = false;

  override _read(): void {
    // bytes are pushed by the test
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.calls.push(chunk);
    done();
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.calls.push(Buffer.concat(chunks.map(({ chunk }) => chunk)));
    done();
  }

  setNoDelay(value: boolean): this {
    this.noDelay = value;
    return this;
  }
}

describe('writing', TIMEOUT, () => {
  test('S10: Nagle is off, and a PDU leaves in one write, whether it is one buffer or several', async () => {
    const socket = new CountingSocket();
    const established = Promise.withResolvers<void>();
    const association = new Association(
      socket as unknown as Socket,
      { role: 'acceptor', maxPduLengthBytes: 16384, timers: ASSOCIATION_TIMERS },
      {
        onRequest: (request) => {
          association.accept(negotiate(request, NEGOTIATION).response);
          established.resolve();
        },
        onPdv: () => undefined,
        onEnd: () => undefined,
        onClosed: () => undefined,
      },
    );
    assert.equal(socket.noDelay, true);
    socket.push(associateRq({ contexts: [CT] }));
    await established.promise;
    const data = Buffer.alloc(1000, 7);
    association.send([dataTfHeader({ contextId: 1, command: false, last: true, length: data.length }), data]);
    await until(() => socket.calls.length >= 2);
    const [accepted, sent] = socket.calls;
    assert.equal(accepted?.[0], 0x02);
    assert.equal(accepted.length, accepted.readUInt32BE(2) + 6, 'the whole A-ASSOCIATE-AC');
    assert.deepEqual(sent, pData([{ id: 1, command: false, last: true, data }]));
    association.abort();
    socket.destroy();
  });
});

describe('reading', { timeout: 120_000 }, () => {
  test('S3: an instance of 192 MB holds no more memory than one of a few', async (context) => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    let bytes = 0;
    const write = (chunk: Uint8Array) => {
      bytes += chunk.length;
      return true;
    };
    const { port, stored } = await startListener(context, {}, { write, keep: false });
    const peer = await ScriptedPeer.associated(port, { contexts: [CT] });
    peer.message(1, storeRq({ messageId: 1, sopInstanceUid: '1.2.1' }));
    const chunk = Buffer.alloc(128 * 1024);
    const pdu = Buffer.concat([u8(4, 0), u32(chunk.length + 6), u32(chunk.length + 2), u8(1, 0), chunk]);
    const held: number[] = [];
    for (let count = 1; count <= 1536; count++) {
      await new Promise<void>((resolve) => peer.socket.write(pdu, () => resolve()));
      if (count % 128 !== 0) continue;
      await until(() => bytes >= (count - 1) * chunk.length);
      collect();
      await new Promise((resolve) => setTimeout(resolve, 20)); // memory is given back beside us
      collect();
      held.push(process.memoryUsage().arrayBuffers);
    }
    const grown = Math.max(...held.slice(1)) - (held[0] ?? 0);
    assert.ok(grown < 8 * 1024 * 1024, `${held}`);
    assert.equal(stored.length, 0);
  });
});
