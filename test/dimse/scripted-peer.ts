/**
 * A peer over a real socket that says what it is told, right or wrong, and hears whole PDUs. It shares nothing with
 * src/dimse: a PDU is its type, and its bytes from byte 7 on (PS3.8 §9.3.1).
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { associateRq, type BuildAssociate, pData } from '../build/pdu.ts';

export interface HeardPdu {
  readonly type: number;
  readonly body: Buffer;
}

/** A response command set, as far as tests look at it: element number to value. */
export type HeardCommand = ReadonlyMap<number, Buffer>;

const open = new Set<Socket>();

/** Closes what tests left open, so that a listener that closes does not wait for peers that stay. */
export function destroyPeers(): void {
  for (const socket of open) socket.destroy();
}

export class ScriptedPeer {
  readonly socket: Socket;
  #received = Buffer.alloc(0);
  #closed = false;
  #news = Promise.withResolvers<void>();

  constructor(socket: Socket) {
    this.socket = socket;
    open.add(socket);
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => {
      this.#received = Buffer.concat([this.#received, bytes]);
      this.#wake();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#closed = true;
      open.delete(socket);
      this.#wake();
    });
  }

  static async connect(port: number): Promise<ScriptedPeer> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new ScriptedPeer(socket);
  }

  /** Connected and accepted. */
  static async associated(port: number, options: BuildAssociate = {}): Promise<ScriptedPeer> {
    const peer = await ScriptedPeer.connect(port);
    peer.send(associateRq(options));
    const answer = await peer.next();
    if (answer?.type !== 0x02) throw new Error(`not accepted: PDU type ${answer?.type}`);
    return peer;
  }

  #wake(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers<void>();
  }

  send(...parts: Uint8Array[]): void {
    for (const part of parts) this.socket.write(part);
  }

  message(id: number, command: Uint8Array, ...data: Uint8Array[]): void {
    this.send(pData([{ id, command: true, last: true, data: command }]));
    for (const [index, bytes] of data.entries())
      this.send(pData([{ id, command: false, last: index === data.length - 1, data: bytes }]));
  }

  /** The next whole PDU; undefined when the connection is closed and nothing is left. */
  async next(): Promise<HeardPdu | undefined> {
    for (;;) {
      const length = this.#received.length < 6 ? Number.POSITIVE_INFINITY : this.#received.readUInt32BE(2) + 6;
      if (this.#received.length >= length) {
        const pdu = { type: this.#received.readUInt8(0), body: Buffer.from(this.#received.subarray(6, length)) };
        this.#received = this.#received.subarray(length);
        return pdu;
      }
      if (this.#closed) return undefined;
      await this.#news.promise;
    }
  }

  /** The command set of the next P-DATA-TF, which holds one PDV. */
  async response(): Promise<HeardCommand> {
    const pdu = await this.next();
    if (pdu?.type !== 0x04) throw new Error(`no response but PDU type ${pdu?.type}`);
    const elements = new Map<number, Buffer>();
    for (let rest = pdu.body.subarray(6); rest.length >= 8; ) {
      const end = 8 + rest.readUInt32LE(4);
      elements.set(rest.readUInt16LE(2), rest.subarray(8, end));
      rest = rest.subarray(end);
    }
    return elements;
  }

  async status(): Promise<number> {
    return (await this.response()).get(0x0900)?.readUInt16LE() ?? -1;
  }

  /** Resolves when the other side has closed the connection. */
  async closed(): Promise<void> {
    while ((await this.next()) !== undefined);
  }

  destroy(): void {
    this.socket.destroy();
  }
}
