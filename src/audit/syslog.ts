/**
 * Syslog for audit messages, PS3.15 §A.6 and §A.7: RFC 5424 messages over TLS (RFC 5425, octet counting) or UDP (RFC
 * 5426). Syslog acknowledges nothing: over TLS a batch counts as delivered when the connection took it and stood a
 * moment longer; over UDP when it was sent.
 */
import { createSocket } from 'node:dgram';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { LetheError } from '../core/errors.ts';

export type SyslogOptions =
  | { readonly protocol: 'udp'; readonly host: string; readonly port: number }
  | { readonly protocol: 'tls'; readonly host: string; readonly port: number; readonly tls: ConnectionOptions };

export interface SyslogSender {
  /** In order. @throws AUDIT_SYSLOG_UNREACHABLE: none or some arrived, all are owed again */
  send(messages: readonly string[]): Promise<void>;
  close(): void;
}

/** Facility 10, security/authorization; severity 5, notice (RFC 5424 §6.2.1; PS3.15 §A.6 leaves both to us). */
const PRIORITY = 10 * 8 + 5;
const MESSAGE_ID = 'DICOM+RFC3881'; // PS3.15 §A.6.1
const BOM = '\uFEFF'; // RFC 5424 §6.4: the text is UTF-8
const DATAGRAM_BYTES_MAX = 65_507; // IPv4; RFC 5426 §3.2 asks receivers for 2048 at least
const CONNECT_TIMEOUT_MS = 10_000;
/** A receiver that breaks the connection for what it read does so within this. */
const SETTLE_MS = 300;

/** RFC 5424 §6. `atMs`: of the event. */
export function syslogMessage(xml: string, atMs: number, host: string = hostname()): string {
  const name = host.replace(/[^\x21-\x7e]/g, '').slice(0, 255) || '-';
  return `<${PRIORITY}>1 ${new Date(atMs).toISOString()} ${name} lethe ${process.pid} ${MESSAGE_ID} - ${BOM}${xml}`;
}

/** RFC 5425 §4.3: the octets of the message, a space, the message. */
export function framed(message: string): Buffer {
  const bytes = Buffer.from(message, 'utf8');
  return Buffer.concat([Buffer.from(`${bytes.length} `, 'latin1'), bytes]);
}

export function syslogSender(options: SyslogOptions): SyslogSender {
  return options.protocol === 'udp' ? new UdpSender(options) : new TlsSender(options);
}

class TlsSender implements SyslogSender {
  readonly #options: SyslogOptions & { protocol: 'tls' };
  #socket: TLSSocket | undefined;

  constructor(options: SyslogOptions & { protocol: 'tls' }) {
    this.#options = options;
  }

  async send(messages: readonly string[]): Promise<void> {
    const socket = await this.#connected();
    try {
      for (const message of messages) await written(socket, framed(message));
      await sleep(SETTLE_MS);
      if (socket.destroyed || socket.readableEnded) throw unreachable('closed');
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  async #connected(): Promise<TLSSocket> {
    if (this.#socket !== undefined && !this.#socket.destroyed && !this.#socket.readableEnded) return this.#socket;
    const { host, port, tls } = this.#options;
    const socket = connect({ minVersion: 'TLSv1.2', ...tls, host, port });
    this.#socket = socket;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => socket.destroy(unreachable('timeout')), CONNECT_TIMEOUT_MS);
      socket.once('secureConnect', () => {
        clearTimeout(timer);
        resolve();
      });
      // Stays: a socket whose error nobody hears ends the process.
      socket.on('error', (error) => {
        clearTimeout(timer);
        reject(error instanceof LetheError ? error : unreachable((error as NodeJS.ErrnoException).code ?? error.name));
      });
      socket.resume(); // nothing is expected; its end has to be seen
    });
    return socket;
  }
}

function written(socket: TLSSocket, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(bytes, (error) => (error == null ? resolve() : reject(unreachable('write'))));
  });
}

class UdpSender implements SyslogSender {
  readonly #options: SyslogOptions;

  constructor(options: SyslogOptions) {
    this.#options = options;
  }

  async send(messages: readonly string[]): Promise<void> {
    const { host, port } = this.#options;
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    const failed = Promise.withResolvers<never>();
    failed.promise.catch(() => undefined); // heard below, while something is sent
    socket.on('error', () => failed.reject(unreachable('socket')));
    try {
      for (const message of messages) {
        // What is too long for a datagram is cut: its beginning says what happened (RFC 5426 §3.2 lets receivers do so).
        const bytes = Buffer.from(message, 'utf8').subarray(0, DATAGRAM_BYTES_MAX);
        const sent = new Promise<void>((resolve, reject) => {
          socket.send(bytes, port, host, (error) => (error == null ? resolve() : reject(unreachable('send'))));
        });
        await Promise.race([sent, failed.promise]);
      }
    } finally {
      socket.close();
    }
  }

  close(): void {
    // A socket a batch: nothing stays open.
  }
}

function unreachable(why: string): LetheError {
  return new LetheError('AUDIT_SYSLOG_UNREACHABLE', { why });
}
