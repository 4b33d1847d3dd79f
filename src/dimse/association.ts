/**
 * One association on one socket: performs what the upper-layer table says (PS3.8 §9.2), keeps its timers, and moves
 * bytes with back-pressure in both directions. It knows PDUs and states and no DIMSE; whoever uses it is the
 * "service-user" of the Standard and hears of primitives through `AssociationUser`.
 *
 * Timers, each separate: ARTIM (PS3.8 §9.1.5), idle (no byte came and nothing is being worked on), DIMSE (a PDU or a
 * message has begun and hardly goes on), write (bytes wait and the peer takes none). All end in an abort and a closed
 * socket.
 */
import type { Socket } from 'node:net';
import { LetheError, toLetheError } from '../core/errors.ts';
import {
  ABORT_REASON,
  type Abort,
  type AssociateAc,
  type AssociateRj,
  type AssociateRq,
  type ControlPdu,
  type PdvSlice,
  type Rejection,
} from './pdu.ts';
import { abortReasonOf, PduReader } from './pdu-reader.ts';
import { writePdu } from './pdu-writer.ts';
import { readShared } from './shared-read.ts';
import { type Effect, type Event, isPossible, type State, step } from './upper-layer.ts';

export interface AssociationTimers {
  readonly artimTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** A PDU or a message that has begun must end, or bring some kilobytes more, within this. */
  readonly dimseTimeoutMs: number;
  /** Bytes for the peer must be taken within this. */
  readonly writeTimeoutMs: number;
}

export const ASSOCIATION_TIMERS: AssociationTimers = {
  artimTimeoutMs: 30_000,
  idleTimeoutMs: 300_000,
  dimseTimeoutMs: 60_000,
  writeTimeoutMs: 60_000,
};

export interface AssociationOptions {
  readonly role: 'requestor' | 'acceptor';
  readonly maxPduLengthBytes: number;
  readonly timers: AssociationTimers;
}

/** How an association ended other than by release. */
export interface AssociationEnd {
  /** `abort`: the peer's A-ABORT; `provider`: ours, for what the peer sent; `transport`: the connection broke. */
  readonly kind: 'abort' | 'provider' | 'transport';
  readonly source?: number;
  readonly reason?: number;
  readonly error?: LetheError;
}

/** The service-user's side. Called synchronously, in the order of what came. */
export interface AssociationUser {
  /** A-ASSOCIATE indication, the acceptor only. `undefined` accepts for now: answer by `accept` or `reject`. */
  check?(request: AssociateRq): Rejection | undefined;
  onRequest?(request: AssociateRq): void;
  /** A-ASSOCIATE confirmation, the requestor only. */
  onAccepted?(response: AssociateAc): void;
  onRejected?(rejection: AssociateRj): void;
  /** The bytes are the user's until it returns: what it keeps it copies. */
  onPdv(slice: PdvSlice): void;
  /** A-RELEASE indication: answer by `respondRelease` when all is done. */
  onReleaseRequest?(): void;
  onReleased?(): void;
  /** Something is being worked on for the peer, who has nothing to say meanwhile: silence is not idleness. */
  busy?(): boolean;
  /** A message has begun that the peer has to go on with: silence between two of its PDUs is for the DIMSE timer. */
  insideMessage?(): boolean;
  onEnd(end: AssociationEnd): void;
  /** The socket is closed; nothing follows. Called once. */
  onClosed(): void;
}

/** Bytes for the peer that may wait before whoever sends is asked to wait. */
const WRITE_HIGH_WATER_BYTES = 1024 * 1024;
const TIMER_CHECKS = 4; // per shortest limit: a timer fires at most a quarter late, and costs nothing per byte
const TIMER_CHECK_MS_MIN = 25;
const CLOSE_GRACE_MS = 1000; // for the last PDU to leave before the socket is destroyed
/** Less than this within the DIMSE timeout is no progress: one byte a minute would keep an association for ever. */
const PROGRESS_BYTES = 4096;

/** Smaller reads are not worth it. */
const GIVE_BACK_BYTES_MIN = 4096;

interface Context {
  readonly pdu?: ControlPdu;
  readonly data?: readonly Uint8Array[];
  readonly abortReason?: number;
  readonly error?: LetheError;
}

export class Association {
  readonly #socket: Socket;
  readonly #options: AssociationOptions;
  readonly #user: AssociationUser;
  readonly #reader: PduReader;
  readonly #watch: NodeJS.Timeout;
  #state: State = 'Sta1';
  #acceptable = true;
  #artim: NodeJS.Timeout | undefined;
  #paused = false;
  #draining = false;
  #closed = false;
  #lastReadMs: number;
  #lastWriteMs: number;
  /** When a PDU or message last ended or went on by enough, and what came since. */
  #progressMs: number;
  #progressBytes = 0;
  #peerEnded = false;
  /** Wrong bytes came: where the next PDU begins is not known, so nothing more is read. */
  #spent = false;
  #closeGrace: NodeJS.Timeout | undefined;

  /** The acceptor's socket is open; the requestor's may still be connecting. */
  constructor(socket: Socket, options: AssociationOptions, user: AssociationUser) {
    this.#socket = socket;
    this.#options = options;
    this.#user = user;
    this.#reader = new PduReader({ maxPduLengthBytes: options.maxPduLengthBytes });
    this.#lastReadMs = performance.now();
    this.#lastWriteMs = this.#lastReadMs;
    this.#progressMs = this.#lastReadMs;
    socket.setNoDelay(true); // a PDU is one write: waiting for more would only delay it
    if (options.role === 'requestor' || !readShared(socket, (bytes) => this.#onBytes(bytes)))
      socket.on('data', (bytes: Buffer) => this.#onData(bytes));
    socket.on('end', () => this.#onTransportEnd(undefined));
    socket.on('error', (error) => this.#onTransportEnd(error));
    socket.on('close', () => this.#onClose());
    const { idleTimeoutMs, dimseTimeoutMs, writeTimeoutMs } = options.timers;
    const shortest = Math.min(idleTimeoutMs, dimseTimeoutMs, writeTimeoutMs);
    this.#watch = setInterval(() => this.#checkTimers(), Math.max(TIMER_CHECK_MS_MIN, shortest / TIMER_CHECKS));
    this.#watch.unref();
    if (options.role === 'acceptor') this.#fire('Evt5');
    else this.#fire('Evt1');
  }

  get state(): State {
    return this.#state;
  }

  /** Accepted and neither released nor aborted: what limits on associations count. */
  get established(): boolean {
    return this.#state !== 'Sta1' && this.#state !== 'Sta2' && this.#state !== 'Sta4' && this.#state !== 'Sta13';
  }

  /** The requestor's transport connection is there (TLS handshake included). */
  connected(request: AssociateRq): void {
    this.#fire('Evt2', { pdu: request });
  }

  accept(response: AssociateAc): void {
    if (isPossible(this.#state, 'Evt7')) this.#fire('Evt7', { pdu: response });
    this.#drain();
  }

  reject(rejection: Rejection): void {
    if (isPossible(this.#state, 'Evt8')) this.#fire('Evt8', { pdu: { type: 'A-ASSOCIATE-RJ', ...rejection } });
  }

  /** P-DATA request: whole PDUs. False: wait for `drained` before sending more. */
  send(data: readonly Uint8Array[]): boolean {
    if (!isPossible(this.#state, 'Evt9')) return true; // the association is ending: nobody would hear it
    this.#fire('Evt9', { data });
    return this.#socket.writableLength < WRITE_HIGH_WATER_BYTES;
  }

  /** Resolves when the peer has taken what waits, or the socket is closed. */
  async drained(): Promise<void> {
    if (this.#closed || this.#socket.writableLength < WRITE_HIGH_WATER_BYTES) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        this.#socket.off('drain', done);
        this.#socket.off('close', done);
        resolve();
      };
      this.#socket.on('drain', done);
      this.#socket.on('close', done);
    });
  }

  release(): void {
    if (isPossible(this.#state, 'Evt11')) this.#fire('Evt11');
  }

  respondRelease(): void {
    if (isPossible(this.#state, 'Evt14')) this.#fire('Evt14');
  }

  abort(): void {
    if (isPossible(this.#state, 'Evt15')) this.#fire('Evt15');
    else if (!this.#closed) this.#socket.destroy();
  }

  /** Ends the connection for what the peer did wrong at a higher level: A-ABORT by the provider with this reason. */
  abortAsProvider(reason: number, error: LetheError): void {
    if (isPossible(this.#state, 'Evt19')) this.#fire('Evt19', { abortReason: reason, error });
    else this.#socket.destroy();
  }

  /** Closes the connection without a word: for a peer that was told and stays. */
  destroy(): void {
    this.#socket.destroy();
  }

  /**
   * The service-user has enough for now. The socket itself is stopped by the first bytes that come all the same: a peer
   * that waits for its answer sends none, and stopping and starting would cost two system calls an instance.
   */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#lastReadMs = performance.now(); // the silence was ours
    this.#progressMs = this.#lastReadMs;
    this.#drain();
    if (this.#paused || this.#closed) return;
    if (this.#peerEnded) this.#onTransportEnd(undefined);
    else if (this.#socket.isPaused()) this.#socket.resume();
  }

  #onData(bytes: Buffer): void {
    this.#onBytes(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length));
    giveBack(bytes);
  }

  /** The bytes are ours until it returns. */
  #onBytes(bytes: Uint8Array): void {
    this.#lastReadMs = performance.now();
    if (this.#state === 'Sta1' || this.#spent) return; // closing: nothing is expected any more
    this.#progressBytes += bytes.length;
    this.#reader.push(bytes);
    if (this.#paused) this.#socket.pause();
    else this.#drain();
    this.#reader.keepOwn();
    if (this.#progressBytes >= PROGRESS_BYTES || !this.#inside) {
      this.#progressBytes = 0;
      this.#progressMs = this.#lastReadMs;
    }
  }

  get #inside(): boolean {
    return this.#reader.insidePdu || this.#user.insideMessage?.() === true;
  }

  /** Takes PDUs as long as there are whole ones (PDVs: parts of ones) and the user wants them. */
  #drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    try {
      while (!this.#paused && this.#state !== 'Sta1') {
        const token = this.#reader.next();
        if (token === undefined) break;
        if (token.type === 'pdv') {
          if (this.#state === 'Sta6' || this.#state === 'Sta7') this.#user.onPdv(token);
        } else if (token.type === 'P-DATA-TF') this.#fire('Evt10');
        else this.#onPdu(token);
      }
    } catch (error) {
      this.#spent = true;
      this.#invalid(toLetheError(error));
    } finally {
      this.#draining = false;
    }
  }

  #invalid(error: LetheError): void {
    if (isPossible(this.#state, 'Evt19')) this.#fire('Evt19', { abortReason: abortReasonOf(error), error });
    else this.#socket.destroy();
  }

  #onPdu(pdu: ControlPdu): void {
    switch (pdu.type) {
      case 'A-ASSOCIATE-RQ': {
        const refusal = this.#state === 'Sta2' ? this.#user.check?.(pdu) : undefined;
        this.#acceptable = refusal === undefined;
        return this.#fire('Evt6', { pdu: refusal === undefined ? pdu : { type: 'A-ASSOCIATE-RJ', ...refusal } });
      }
      case 'A-ASSOCIATE-AC':
        return this.#fire('Evt3', { pdu });
      case 'A-ASSOCIATE-RJ':
        return this.#fire('Evt4', { pdu });
      case 'A-RELEASE-RQ':
        return this.#fire('Evt12');
      case 'A-RELEASE-RP':
        return this.#fire('Evt13');
      case 'A-ABORT':
        return this.#fire('Evt16', { pdu });
    }
  }

  #fire(event: Event, context: Context = {}): void {
    const { effects, next } = step(this.#state, event, { role: this.#options.role, acceptable: this.#acceptable });
    // The state moves first: an effect may call back into the user, who may fire the next event at once.
    this.#state = next;
    for (const effect of effects) this.#perform(effect, event, context);
  }

  #perform(effect: Effect, event: Event, context: Context): void {
    switch (effect) {
      case 'connect':
        return; // whoever made the socket has begun that
      case 'send A-ASSOCIATE-RQ':
      case 'send A-ASSOCIATE-AC':
      case 'send A-ASSOCIATE-RJ':
        return this.#write(context.pdu === undefined ? [] : [writePdu(context.pdu)]);
      case 'send P-DATA-TF':
        return this.#write(context.data ?? []);
      case 'send A-RELEASE-RQ':
        return this.#write([writePdu({ type: 'A-RELEASE-RQ' })]);
      case 'send A-RELEASE-RP':
        return this.#write([writePdu({ type: 'A-RELEASE-RP' })]);
      case 'send A-ABORT (user)':
        return this.#write([writePdu({ type: 'A-ABORT', source: 0, reason: 0 })]);
      case 'send A-ABORT (provider)':
        return this.#write([
          writePdu({ type: 'A-ABORT', source: 2, reason: context.abortReason ?? ABORT_REASON.unexpectedPdu }),
        ]);
      case 'start ARTIM':
        return this.#startArtim();
      case 'stop ARTIM':
        return clearTimeout(this.#artim);
      case 'close':
        return this.#endSocket();
      default:
        return this.#indicate(effect, event, context);
    }
  }

  #indicate(effect: Effect, event: Event, context: Context): void {
    const { pdu } = context;
    switch (effect) {
      case 'indicate A-ASSOCIATE':
        if (pdu?.type === 'A-ASSOCIATE-RQ') this.#user.onRequest?.(pdu);
        return;
      case 'confirm A-ASSOCIATE (accept)':
        if (pdu?.type === 'A-ASSOCIATE-AC') this.#user.onAccepted?.(pdu);
        return;
      case 'confirm A-ASSOCIATE (reject)':
        if (pdu?.type === 'A-ASSOCIATE-RJ') this.#user.onRejected?.(pdu);
        return;
      case 'indicate A-RELEASE':
        return this.#user.onReleaseRequest?.();
      case 'confirm A-RELEASE':
        this.#user.onReleased?.();
        if (isPossible(this.#state, 'Evt14')) this.#fire('Evt14'); // release collision, acceptor side (AR-10)
        return;
      case 'indicate A-ABORT':
        return this.#user.onEnd(abortEnd(pdu));
      case 'indicate A-P-ABORT':
        return this.#user.onEnd(event === 'Evt17' ? transportEnd(context.error) : providerEnd(context));
      default:
        return; // P-DATA is indicated slice by slice
    }
  }

  #write(buffers: readonly Uint8Array[]): void {
    if (this.#closed || !this.#socket.writable || buffers.length === 0) return;
    if (this.#socket.writableLength === 0) this.#lastWriteMs = performance.now();
    if (buffers.length > 1) this.#socket.cork();
    for (const buffer of buffers) this.#socket.write(buffer, this.#onTaken);
    if (buffers.length > 1) this.#socket.uncork();
  }

  readonly #onTaken = (): void => {
    this.#lastWriteMs = performance.now();
  };

  #startArtim(): void {
    clearTimeout(this.#artim);
    this.#artim = setTimeout(() => {
      if (isPossible(this.#state, 'Evt18')) this.#fire('Evt18');
      else this.#socket.destroy();
    }, this.#options.timers.artimTimeoutMs);
  }

  /** Lets what was written leave, then makes sure that the socket is gone. */
  #endSocket(): void {
    if (this.#socket.connecting) {
      this.#socket.destroy();
      return;
    }
    this.#socket.end();
    this.#socket.resume(); // what still comes is read away, or the close would never be seen
    this.#closeGrace ??= setTimeout(() => this.#socket.destroy(), CLOSE_GRACE_MS).unref();
  }

  #checkTimers(): void {
    const now = performance.now();
    const { idleTimeoutMs, dimseTimeoutMs, writeTimeoutMs } = this.#options.timers;
    if (this.#socket.writableLength > 0 && now - this.#lastWriteMs > writeTimeoutMs) {
      this.#endTransport(new LetheError('DIMSE_TIMEOUT', { timer: 'write' }));
      return;
    }
    if (this.#paused || !this.established) return; // ARTIM has the states around an association
    const inside = this.#inside;
    if (inside && now - this.#progressMs > dimseTimeoutMs) this.#timedOut('dimse');
    else if (!inside && now - this.#lastReadMs > idleTimeoutMs && this.#user.busy?.() !== true) this.#timedOut('idle');
  }

  #timedOut(timer: string): void {
    this.abortAsProvider(ABORT_REASON.unspecified, new LetheError('DIMSE_TIMEOUT', { timer }));
  }

  #onTransportEnd(error: Error | undefined): void {
    this.#peerEnded = true;
    // What came before the end is still to be heard, unless the user is busy: then after it resumes.
    if (this.#paused && error === undefined) return;
    this.#endTransport(error === undefined ? undefined : transportError(error));
  }

  #endTransport(error: LetheError | undefined): void {
    if (isPossible(this.#state, 'Evt17')) this.#fire('Evt17', error === undefined ? {} : { error });
    this.#socket.destroy();
  }

  #onClose(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (isPossible(this.#state, 'Evt17')) this.#fire('Evt17');
    this.#state = 'Sta1';
    clearTimeout(this.#artim);
    clearTimeout(this.#closeGrace);
    clearInterval(this.#watch);
    this.#user.onClosed();
  }
}

/**
 * Frees the memory of a read at once. Left to the garbage collector, a fast sender makes it run for a quarter of the
 * time, and every read faults new pages in; freed, the next read gets the same pages, still in the processor's cache.
 */
function giveBack({ buffer, byteOffset, byteLength }: Buffer): void {
  if (byteLength < GIVE_BACK_BYTES_MIN || byteOffset !== 0 || buffer.byteLength !== byteLength) return;
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}

function abortEnd(pdu: ControlPdu | undefined): AssociationEnd {
  const abort: Abort = pdu?.type === 'A-ABORT' ? pdu : { type: 'A-ABORT', source: 0, reason: 0 };
  return { kind: 'abort', source: abort.source, reason: abort.reason };
}

function providerEnd(context: Context): AssociationEnd {
  const reason = context.abortReason ?? ABORT_REASON.unexpectedPdu;
  return { kind: 'provider', source: 2, reason, error: context.error ?? new LetheError('DIMSE_PDU_UNEXPECTED') };
}

function transportEnd(error: LetheError | undefined): AssociationEnd {
  return { kind: 'transport', ...(error === undefined ? {} : { error }) };
}

function transportError(error: Error): LetheError {
  return new LetheError(
    'DIMSE_ASSOCIATION_ABORTED',
    { errno: (error as NodeJS.ErrnoException).code ?? error.name },
    { cause: error },
  );
}
