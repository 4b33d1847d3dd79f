/**
 * The listener: accepts connections on a plain and, where configured, a TLS port, and runs a `StorageConnection` on
 * each. Nothing here waits for a peer: a TLS handshake has its own deadline, a silent peer its timers, and a peer that is
 * over its limit is told so (PS3.8 Table 9-21) and costs no one else anything.
 *
 * Public: `StorageScp.listen`, `ports`, `associationCount`, `reloadTls`, `close`.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import { LetheError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { AssociationTimers } from './association.ts';
import type { CommitmentReporter } from './commitment-reporter.ts';
import type { NegotiationPolicy } from './negotiation.ts';
import { REJECTION, type Rejection } from './pdu.ts';
import { checkPeers, type PeerPolicy } from './peer-policy.ts';
import { StorageConnection } from './storage-connection.ts';
import type { StorageHandler } from './storage-handler.ts';
import { expiresInDays, type ScpTlsOptions, tlsContext } from './storage-tls.ts';
import type { UserIdentityPolicy } from './user-identity.ts';

export type { ScpTlsOptions } from './storage-tls.ts';

export interface CalledAeTitle {
  readonly aeTitle: string;
  readonly customer?: string;
  readonly profile?: string;
}

export interface StorageScpOptions {
  readonly host: string;
  readonly port: number;
  readonly tls?: ScpTlsOptions;
  readonly aeTitles: readonly CalledAeTitle[];
  readonly peers: PeerPolicy;
  /** Absent: identities are neither asked for nor answered. */
  readonly users?: UserIdentityPolicy;
  readonly maxAssociations: number;
  readonly maxAssociationsPerPeer: number;
  readonly negotiation: NegotiationPolicy;
  readonly timers?: Partial<AssociationTimers>;
  readonly tlsHandshakeTimeoutMs?: number;
}

export interface ScpEvents {
  onResponse(status: number): void;
  onRejected(rejection: Rejection): void;
}

export interface ScpDeps {
  readonly handler: StorageHandler;
  readonly logger: Logger;
  readonly events?: ScpEvents;
  /** Serves storage commitment, where the negotiation has its SOP class among the further ones. */
  readonly commitment?: CommitmentReporter;
}

const TLS_HANDSHAKE_TIMEOUT_MS = 10_000;
const BACKLOG = 256;
/** Connections that have not asked for an association yet, or are over it; each costs a socket and a timer. */
const CONNECTIONS_FACTOR = 4;
/** After the A-ABORT that ends the grace, for it to leave. */
const ABORT_GRACE_MS = 500;

export class StorageScp {
  readonly #options: StorageScpOptions;
  readonly #deps: ScpDeps;
  readonly #servers: Server[] = [];
  readonly #connections = new Set<StorageConnection>();
  /** Every socket of ours, those in a TLS handshake too. */
  readonly #sockets = new Set<Socket>();
  #tlsServer: TlsServer | undefined;
  #count = 0;
  #closing = false;
  #ports: { plain: number; tls: number | undefined } = { plain: 0, tls: undefined };

  private constructor(options: StorageScpOptions, deps: ScpDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** Resolves when both ports listen. @throws CONFIG_INVALID, CONFIG_UNREADABLE */
  static async listen(options: StorageScpOptions, deps: ScpDeps): Promise<StorageScp> {
    checkPeers(options.peers);
    const scp = new StorageScp(options, deps);
    try {
      const plain = createServer((socket) => scp.#onConnection(socket, false));
      scp.#ports.plain = await scp.#listenOn(plain, options.port, 'dicom.port');
      if (options.tls !== undefined) scp.#ports.tls = await scp.#listenTls(options.tls);
    } catch (error) {
      await scp.close(0);
      throw error;
    }
    return scp;
  }

  async #listenTls(options: ScpTlsOptions): Promise<number> {
    const handshakeTimeout = this.#options.tlsHandshakeTimeoutMs ?? TLS_HANDSHAKE_TIMEOUT_MS;
    const server = createTlsServer({ ...tlsContext(options), handshakeTimeout }, (socket) =>
      this.#onConnection(socket, true),
    );
    server.on('tlsClientError', (error, socket) => {
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
      this.#deps.logger.log('warn', 'tls.failed', { remote: socket.remoteAddress ?? '', code });
      socket.destroy();
    });
    this.#tlsServer = server;
    return this.#listenOn(server, options.port, 'dicom.tls.port');
  }

  get ports(): { readonly plain: number; readonly tls: number | undefined } {
    return this.#ports;
  }

  get associationCount(): number {
    return [...this.#connections].filter(({ established }) => established).length;
  }

  /** Until the certificate of the TLS port expires, for a metric; undefined without one. @throws CONFIG_UNREADABLE */
  tlsExpiresInDays(nowMs: number): number | undefined {
    const { tls } = this.#options;
    return tls === undefined ? undefined : expiresInDays(tls, nowMs);
  }

  /** Reads the PEM files again: new connections get the new certificate, those that stand go on. @throws CONFIG_UNREADABLE */
  reloadTls(nowMs: number): void {
    const { tls } = this.#options;
    if (tls === undefined || this.#tlsServer === undefined) return;
    const days = expiresInDays(tls, nowMs);
    this.#tlsServer.setSecureContext(tlsContext(tls));
    this.#deps.logger.log('info', 'tls.reloaded', { expiresInDays: days });
  }

  /** Takes nothing new; what runs may finish within the grace, then is aborted. Resolves when every socket is closed. */
  async close(graceMs: number): Promise<void> {
    this.#closing = true;
    const closed = this.#servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    for (const connection of this.#connections) if (!connection.established) connection.abort();
    const abort = setTimeout(() => {
      for (const connection of this.#connections) connection.abort();
    }, graceMs);
    const destroy = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, graceMs + ABORT_GRACE_MS);
    await Promise.all(closed);
    clearTimeout(abort);
    clearTimeout(destroy);
  }

  #onConnection(socket: Socket, tls: boolean): void {
    if (this.#closing) {
      socket.destroy();
      return;
    }
    this.#count++;
    const connection = new StorageConnection(
      { number: this.#count, socket, tls },
      {
        scp: this.#options,
        deps: this.#deps,
        limitReached: (remote) => this.#limitReached(remote),
        closing: () => this.#closing,
        closed: () => this.#connections.delete(connection),
      },
    );
    this.#connections.add(connection);
  }

  #limitReached(remoteAddress: string): boolean {
    let all = 0;
    let ofPeer = 0;
    for (const connection of this.#connections) {
      if (!connection.established) continue;
      all++;
      if (connection.facts?.remoteAddress === remoteAddress) ofPeer++;
    }
    return all >= this.#options.maxAssociations || ofPeer >= this.#options.maxAssociationsPerPeer;
  }

  /** More connections than the limit are dropped before they cost a handshake. */
  #listenOn(server: Server, port: number, key: string): Promise<number> {
    const { host, maxAssociations } = this.#options;
    server.maxConnections = maxAssociations * CONNECTIONS_FACTOR;
    // Counted and not logged: a flood of connections must not become a flood of lines.
    server.on('drop', () => this.#deps.events?.onRejected(REJECTION.localLimitExceeded));
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    return new Promise((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException) => {
        const problem = error.code ?? 'cannot listen';
        reject(new LetheError('CONFIG_INVALID', { key, host, port, problem }, { cause: error }));
      };
      server.once('error', failed);
      server.listen({ host, port, backlog: BACKLOG }, () => {
        server.off('error', failed);
        this.#servers.push(server);
        const address = server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : port);
      });
    });
  }
}
