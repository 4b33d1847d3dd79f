/**
 * The listener: accepts connections on a plain and, where configured, a TLS port, admits associations by policy (PS3.8
 * Table 9-21) and runs a `StorageSession` on each. Nothing here waits for a peer: a TLS handshake has its own deadline,
 * a silent peer its timers, and a peer that is over its limit is told so and costs no one else anything.
 */
import { readFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { LetheError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import { ASSOCIATION_TIMERS, Association, type AssociationEnd, type AssociationTimers } from './association.ts';
import { type NegotiationPolicy, negotiate, protocolRefusal, sameAeTitle } from './negotiation.ts';
import { type AssociateRq, REJECTION, type Rejection } from './pdu.ts';
import { type PeerPolicy, peerOf } from './peer-policy.ts';
import type { AssociationFacts, StorageHandler } from './storage-handler.ts';
import { StorageSession } from './storage-session.ts';

export interface CalledAeTitle {
  readonly aeTitle: string;
  readonly customer?: string;
  readonly profile?: string;
}

export interface ScpTlsOptions {
  readonly port: number;
  /** Paths of PEM files. */
  readonly cert: string;
  readonly key: string;
  readonly ca?: string;
  readonly clientAuth: 'required' | 'optional' | 'none';
}

export interface StorageScpOptions {
  readonly host: string;
  readonly port: number;
  readonly tls?: ScpTlsOptions;
  readonly aeTitles: readonly CalledAeTitle[];
  readonly peers: PeerPolicy;
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
}

const TLS_HANDSHAKE_TIMEOUT_MS = 10_000;
const BACKLOG = 256;
/** Connections that have not asked for an association yet; each costs a socket and a timer. */
const CONNECTIONS_FACTOR = 4;

export class StorageScp {
  readonly #options: StorageScpOptions;
  readonly #deps: ScpDeps;
  readonly #servers: Server[] = [];
  readonly #open = new Map<Association, OpenAssociation>();
  #count = 0;
  #closing = false;
  #ports: { plain: number; tls: number | undefined } = { plain: 0, tls: undefined };

  private constructor(options: StorageScpOptions, deps: ScpDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** Resolves when both ports listen. @throws CONFIG_INVALID where a port is taken or a certificate cannot be read */
  static async listen(options: StorageScpOptions, deps: ScpDeps): Promise<StorageScp> {
    const scp = new StorageScp(options, deps);
    const plain = createServer((socket) => scp.#onConnection(socket, false));
    const port = await listenOn(plain, options.host, options.port);
    scp.#servers.push(plain);
    scp.#ports = { plain: port, tls: options.tls === undefined ? undefined : await scp.#listenTls(options.tls) };
    return scp;
  }

  async #listenTls(options: ScpTlsOptions): Promise<number> {
    const server = createTlsServer(
      { ...tlsContext(options), handshakeTimeout: this.#options.tlsHandshakeTimeoutMs ?? TLS_HANDSHAKE_TIMEOUT_MS },
      (socket) => this.#onConnection(socket, true),
    );
    server.on('tlsClientError', (error, socket) => {
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
      this.#deps.logger.log('warn', 'tls.failed', { remote: socket.remoteAddress ?? '', code });
      socket.destroy();
    });
    const port = await listenOn(server, this.#options.host, options.port);
    this.#servers.push(server);
    return port;
  }

  get ports(): { readonly plain: number; readonly tls: number | undefined } {
    return this.#ports;
  }

  get associationCount(): number {
    return [...this.#open.values()].filter((open) => open.facts !== undefined).length;
  }

  /** Takes nothing new; what runs may finish within the grace, then is aborted. */
  async close(graceMs: number): Promise<void> {
    this.#closing = true;
    const closed = this.#servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    const timer = setTimeout(() => {
      for (const association of this.#open.keys()) association.abort();
    }, graceMs);
    for (const [association, open] of this.#open) if (open.session === undefined) association.abort();
    await Promise.all(closed);
    clearTimeout(timer);
  }

  #onConnection(socket: Socket, tls: boolean): void {
    if (this.#closing || this.#open.size >= this.#options.maxAssociations * CONNECTIONS_FACTOR) {
      socket.destroy();
      return;
    }
    this.#count++;
    const open = new OpenAssociation(this.#count, socket, tls, {
      scp: this.#options,
      deps: this.#deps,
      limitReached: (remote) => this.#limitReached(remote),
      closing: () => this.#closing,
      closed: () => this.#open.delete(association),
    });
    const association = open.start();
    this.#open.set(association, open);
  }

  #limitReached(remoteAddress: string): boolean {
    const running = [...this.#open.values()].filter((open) => open.facts !== undefined);
    const ofPeer = running.filter((open) => open.facts?.remoteAddress === remoteAddress);
    return running.length >= this.#options.maxAssociations || ofPeer.length >= this.#options.maxAssociationsPerPeer;
  }
}

interface Surroundings {
  readonly scp: StorageScpOptions;
  readonly deps: ScpDeps;
  limitReached(remoteAddress: string): boolean;
  closing(): boolean;
  closed(): void;
}

/** One connection: from the first byte to the last. */
class OpenAssociation {
  readonly #number: number;
  readonly #socket: Socket;
  readonly #tls: boolean;
  readonly #around: Surroundings;
  #association: Association | undefined;
  facts: AssociationFacts | undefined;
  session: StorageSession | undefined;

  constructor(number: number, socket: Socket, tls: boolean, around: Surroundings) {
    this.#number = number;
    this.#socket = socket;
    this.#tls = tls;
    this.#around = around;
  }

  start(): Association {
    const { scp } = this.#around;
    this.#association = new Association(
      this.#socket,
      {
        role: 'acceptor',
        maxPduLengthBytes: scp.negotiation.maxPduLengthBytes,
        timers: { ...ASSOCIATION_TIMERS, ...scp.timers },
      },
      {
        check: (request) => this.#check(request),
        onRequest: (request) => this.#accept(request),
        onPdv: (slice) => this.session?.onPdv(slice),
        onReleaseRequest: () => this.session?.onReleaseRequest(),
        onEnd: (end) => this.#onEnd(end),
        onClosed: () => this.#onClosed(),
      },
    );
    return this.#association;
  }

  get #remote(): string {
    return (this.#socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  }

  #check(request: AssociateRq): Rejection | undefined {
    const rejection = protocolRefusal(request) ?? this.#policyRefusal(request);
    if (rejection === undefined) return undefined;
    const { logger, events } = this.#around.deps;
    logger.log('warn', 'association.rejected', { ...this.#logFields(request), ...rejection });
    events?.onRejected(rejection);
    this.facts = undefined;
    return rejection;
  }

  #policyRefusal(request: AssociateRq): Rejection | undefined {
    const { scp, deps } = this.#around;
    const called = scp.aeTitles.find(({ aeTitle }) => sameAeTitle(aeTitle, request.calledAeTitle));
    if (called === undefined) return REJECTION.calledAeTitleNotRecognized;
    const peer = peerOf(scp.peers, {
      callingAeTitle: request.callingAeTitle.trim(),
      remoteAddress: this.#remote,
      tlsNames: tlsNamesOf(this.#socket),
    });
    if (peer === undefined) return REJECTION.callingAeTitleNotRecognized;
    if (this.#around.closing()) return REJECTION.temporaryCongestion;
    if (this.#around.limitReached(this.#remote)) return REJECTION.localLimitExceeded;
    const facts: AssociationFacts = {
      number: this.#number,
      remoteAddress: this.#remote,
      callingAeTitle: request.callingAeTitle.trim(),
      calledAeTitle: request.calledAeTitle.trim(),
      customer: peer.customer ?? called.customer,
      profile: called.profile,
      tls: this.#tls,
      implementation: request.userInformation.implementationVersionName ?? '',
    };
    const refusal = deps.handler.admit(facts);
    if (refusal === undefined) this.facts = facts;
    return refusal;
  }

  #accept(request: AssociateRq): void {
    const { scp, deps } = this.#around;
    const association = this.#association;
    if (association === undefined || this.facts === undefined)
      throw new LetheError('INVARIANT', { what: 'request without facts' });
    const { response, contexts } = negotiate(request, scp.negotiation);
    this.session = new StorageSession({
      association,
      facts: this.facts,
      contexts,
      peerMaxPduLengthBytes: request.userInformation.maxPduLengthBytes,
      operationsMax: response.userInformation.asyncWindow?.invoked ?? 1,
      handler: deps.handler.open(this.facts),
      logger: deps.logger,
      onResponse: (status) => deps.events?.onResponse(status),
    });
    deps.logger.log('info', 'association.accepted', { ...this.#logFields(request), contexts: contexts.length });
    association.accept(response);
  }

  #onEnd(end: AssociationEnd): void {
    this.session?.onEnd();
    const fields = this.#endFields();
    const reason = {
      ...(end.source === undefined ? {} : { source: end.source }),
      ...(end.reason === undefined ? {} : { reason: end.reason }),
    };
    const error = end.error === undefined ? {} : { code: end.error.code };
    this.#around.deps.logger.log(end.kind === 'provider' ? 'warn' : 'info', 'association.aborted', {
      ...fields,
      ...reason,
      ...error,
    });
    this.#ended = true;
  }

  #ended = false;

  #onClosed(): void {
    const { session } = this;
    session?.onEnd();
    if (session !== undefined && !this.#ended) {
      this.#around.deps.logger.log('info', 'association.released', {
        ...this.#endFields(),
        instances: session.instances,
        bytes: session.bytes,
      });
    }
    this.#around.closed();
  }

  #endFields() {
    const { facts } = this;
    const titles =
      facts === undefined ? {} : { callingAeTitle: facts.callingAeTitle, calledAeTitle: facts.calledAeTitle };
    return { association: this.#number, remote: this.#remote, ...titles };
  }

  #logFields(request: AssociateRq) {
    return {
      association: this.#number,
      remote: this.#remote,
      callingAeTitle: request.callingAeTitle.trim(),
      calledAeTitle: request.calledAeTitle.trim(),
    };
  }
}

function listenOn(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) =>
      reject(
        new LetheError(
          'CONFIG_INVALID',
          { key: 'dicom.port', host, port, problem: (error as NodeJS.ErrnoException).code ?? 'cannot listen' },
          { cause: error },
        ),
      ),
    );
    server.listen({ host, port, backlog: BACKLOG }, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}

/** BCP 195 (RFC 9325) as PS3.15 §B.12 profiles it: TLS 1.2 or newer, forward secrecy, AEAD. */
function tlsContext(options: ScpTlsOptions) {
  return {
    cert: pem(options.cert),
    key: pem(options.key),
    ...(options.ca === undefined ? {} : { ca: pem(options.ca) }),
    requestCert: options.clientAuth !== 'none',
    rejectUnauthorized: options.clientAuth === 'required',
    minVersion: 'TLSv1.2' as const,
    ciphers:
      'TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM',
    honorCipherOrder: true,
  };
}

function pem(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new LetheError('CONFIG_UNREADABLE', { path }, { cause: error });
  }
}

/** Names in a verified client certificate: subject alternative DNS names and the common name. */
function tlsNamesOf(socket: Socket): readonly string[] {
  const secure = socket as Partial<TLSSocket>;
  if (secure.authorized !== true || secure.getPeerCertificate === undefined) return [];
  const certificate = secure.getPeerCertificate();
  const alternatives = (certificate.subjectaltname ?? '')
    .split(', ')
    .flatMap((name) => (name.startsWith('DNS:') ? [name.slice(4)] : []));
  const common = certificate.subject?.CN;
  return [...alternatives, ...(typeof common === 'string' ? [common] : (common ?? []))];
}
