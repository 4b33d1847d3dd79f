/**
 * The listener: accepts connections on plain ports and, where configured, a TLS port, and runs a `StorageConnection` on
 * each. Nothing here waits for a peer: a TLS handshake has its own deadline, a silent peer its timers, and a peer that is
 * over its limit is told so (PS3.8 Table 9-21) and costs no one else anything.
 *
 * Public: `StorageScp.listen`, `ports`, `associationCount`, `reloadTls`, `close`.
 */
import { createServer, type Server, type Socket } from 'node:net';
import {
  createSecureContext,
  createServer as createTlsServer,
  type SecureContext,
  type Server as TlsServer,
} from 'node:tls';
import { LetheError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { AssociationTimers } from './association.ts';
import type { CommitmentReporter } from './commitment-reporter.ts';
import type { NegotiationPolicy } from './negotiation.ts';
import { REJECTION, type Rejection } from './pdu.ts';
import { checkPeers, type Peer, type PeerPolicy } from './peer-policy.ts';
import { StorageConnection } from './storage-connection.ts';
import type { AssociationFacts, StorageHandler } from './storage-handler.ts';
import { expiresInDays, type ScpTlsOptions, tlsContext } from './storage-tls.ts';
import type { UserIdentityPolicy } from './user-identity.ts';
import type { ValidationPolicy } from './validation.ts';

export type { ScpTlsOptions } from './storage-tls.ts';

export interface CalledAeTitle {
  readonly aeTitle: string;
  readonly customer?: string;
  readonly profile?: string;
}

export interface StorageScpOptions {
  readonly host: string;
  /** Of the plain listener; undefined: TLS alone. */
  readonly port: number | undefined;
  readonly furtherPorts?: readonly number[];
  readonly tls?: ScpTlsOptions;
  readonly aeTitles: readonly CalledAeTitle[];
  readonly peers: PeerPolicy;
  /** Absent: identities are neither asked for nor answered. */
  readonly users?: UserIdentityPolicy;
  readonly maxAssociations: number;
  readonly maxAssociationsPerPeer: number;
  /** What one association may bring; more is answered with Resource limitation (0213). Absent: no limit. */
  readonly maxInstancesPerAssociation?: number;
  readonly maxBytesPerAssociation?: number;
  readonly negotiation: NegotiationPolicy;
  readonly validation?: Partial<ValidationPolicy>;
  readonly timers?: Partial<AssociationTimers>;
  readonly tlsHandshakeTimeoutMs?: number;
}

/** Who was refused, as far as it said so. */
export interface RejectedCaller {
  readonly remoteAddress: string;
  readonly callingAeTitle: string;
  readonly calledAeTitle: string;
}

export interface ScpEvents {
  /** `opaque`: contexts of SOP classes or transfer syntaxes that PS3.6 does not list. */
  onAccepted?(facts: AssociationFacts, opaque: number): void;
  /** `ms`: from the command to its answer. */
  onResponse(status: number, ms: number): void;
  /** Without a caller: a connection beyond the limit, dropped before it said anything. */
  onRejected(rejection: Rejection, caller?: RejectedCaller): void;
  onEnded?(kind: 'released' | 'abort' | 'provider' | 'transport'): void;
  /** A TLS handshake failed; `code` is that of OpenSSL or Node. */
  onTlsFailed?(remoteAddress: string, code: string): void;
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

/** Where it listens; 0: no plain listener. */
export interface ScpPorts {
  readonly plain: number;
  readonly further: readonly number[];
  readonly tls: number | undefined;
}

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
  /** By server name in lower case, read again with the certificate. */
  #serverNames: ReadonlyMap<string, SecureContext> = new Map();
  #ports: ScpPorts = { plain: 0, further: [], tls: undefined };

  private constructor(options: StorageScpOptions, deps: ScpDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** Resolves when all ports listen. @throws CONFIG_INVALID, CONFIG_UNREADABLE */
  static async listen(options: StorageScpOptions, deps: ScpDeps): Promise<StorageScp> {
    checkPeers(options.peers);
    const scp = new StorageScp(options, deps);
    try {
      const plain = options.port === undefined ? 0 : await scp.#listenPlain(options.port, 'dicom.port');
      const further: number[] = [];
      for (const port of options.furtherPorts ?? []) further.push(await scp.#listenPlain(port, 'dicom.furtherPorts'));
      const tls = options.tls === undefined ? undefined : await scp.#listenTls(options.tls);
      scp.#ports = { plain, further, tls };
    } catch (error) {
      await scp.close(0);
      throw error;
    }
    return scp;
  }

  #listenPlain(port: number, key: string): Promise<number> {
    return this.#listenOn(
      createServer((socket) => this.#onConnection(socket, false)),
      port,
      key,
    );
  }

  async #listenTls(options: ScpTlsOptions): Promise<number> {
    const handshakeTimeout = this.#options.tlsHandshakeTimeoutMs ?? TLS_HANDSHAKE_TIMEOUT_MS;
    this.#serverNames = serverNames(options);
    const server = createTlsServer(
      {
        ...tlsContext(options),
        handshakeTimeout,
        SNICallback: (name, done) => done(null, this.#serverNames.get(name.toLowerCase())),
      },
      (socket) => this.#onConnection(socket, true),
    );
    server.on('tlsClientError', (error, socket) => {
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
      const remote = socket.remoteAddress ?? '';
      this.#deps.logger.log('warn', 'tls.failed', { remote, code });
      this.#deps.events?.onTlsFailed?.(remote, code);
      socket.destroy();
    });
    this.#tlsServer = server;
    return this.#listenOn(server, options.port, 'dicom.tls.port');
  }

  get ports(): ScpPorts {
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
    const names = serverNames(tls);
    this.#tlsServer.setSecureContext(tlsContext(tls));
    this.#serverNames = names;
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
        limitReached: (remote, peer) => this.#limitReached(remote, peer),
        closing: () => this.#closing,
        closed: () => this.#connections.delete(connection),
      },
    );
    this.#connections.add(connection);
  }

  #limitReached(remoteAddress: string, peer: Peer): boolean {
    let all = 0;
    let ofAddress = 0;
    let ofPeer = 0;
    for (const connection of this.#connections) {
      if (!connection.established) continue;
      all++;
      if (connection.facts?.remoteAddress === remoteAddress) ofAddress++;
      if (connection.peer === peer) ofPeer++;
    }
    const { maxAssociations, maxAssociationsPerPeer } = this.#options;
    const { maxAssociations: ofPeerMax = Number.POSITIVE_INFINITY } = peer;
    return all >= maxAssociations || ofAddress >= maxAssociationsPerPeer || ofPeer >= ofPeerMax;
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

function serverNames(options: ScpTlsOptions): ReadonlyMap<string, SecureContext> {
  const names = options.serverNames ?? [];
  return new Map(names.map((one) => [one.name.toLowerCase(), createSecureContext(tlsContext(options, one))]));
}
