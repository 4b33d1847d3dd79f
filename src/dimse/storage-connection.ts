/**
 * One connection of the listener, from its first byte to its last: who asks is held against the policy (PS3.8 Table
 * 9-21), presentation contexts are negotiated, and a `StorageSession` serves what was accepted. Each outcome is one log
 * line.
 */
import type { Socket } from 'node:net';
import { LetheError } from '../core/errors.ts';
import { ASSOCIATION_TIMERS, Association, type AssociationEnd } from './association.ts';
import { CommitmentService } from './commitment-service.ts';
import { isOpaque, type NegotiatedContext, negotiate, protocolRefusal, sameAeTitle } from './negotiation.ts';
import { type AssociateRq, REJECTION, type Rejection } from './pdu.ts';
import { type Peer, peerOf } from './peer-policy.ts';
import type { AssociationFacts } from './storage-handler.ts';
import type { ScpDeps, StorageScpOptions } from './storage-scp.ts';
import { StorageSession } from './storage-session.ts';
import { tlsIdentityOf } from './storage-tls.ts';
import { type IdentityVerdict, verdictOn } from './user-identity.ts';
import { VALIDATION } from './validation.ts';

export interface Surroundings {
  readonly scp: StorageScpOptions;
  readonly deps: ScpDeps;
  limitReached(remoteAddress: string, peer: Peer): boolean;
  closing(): boolean;
  closed(): void;
}

export interface AcceptedSocket {
  readonly number: number;
  readonly socket: Socket;
  readonly tls: boolean;
}

export class StorageConnection {
  readonly #number: number;
  readonly #socket: Socket;
  readonly #tls: boolean;
  /** Kept: a closed socket does not know it any more. */
  readonly #remote: string;
  readonly #around: Surroundings;
  readonly #association: Association;
  #facts: AssociationFacts | undefined;
  #peer: Peer | undefined;
  #session: StorageSession | undefined;
  #ended = false;

  constructor({ number, socket, tls }: AcceptedSocket, around: Surroundings) {
    this.#number = number;
    this.#socket = socket;
    this.#tls = tls;
    this.#remote = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
    this.#around = around;
    const { negotiation, timers } = around.scp;
    this.#association = new Association(
      socket,
      {
        role: 'acceptor',
        maxPduLengthBytes: negotiation.maxPduLengthBytes,
        timers: { ...ASSOCIATION_TIMERS, ...timers },
      },
      {
        check: (request) => this.#check(request),
        onRequest: (request) => this.#accept(request),
        onPdv: (slice) => this.#session?.onPdv(slice),
        onReleaseRequest: () => this.#session?.onReleaseRequest(),
        busy: () => this.#session?.busy === true,
        insideMessage: () => this.#session?.insideMessage === true,
        onEnd: (end) => this.#onEnd(end),
        onClosed: () => this.#onClosed(),
      },
    );
  }

  /** Of the association that was admitted. */
  get facts(): AssociationFacts | undefined {
    return this.#facts;
  }

  /** The entry of the policy that let it in. */
  get peer(): Peer | undefined {
    return this.#peer;
  }

  /** An association stands: what is being released, aborted or waited for to close does not count. */
  get established(): boolean {
    return this.#facts !== undefined && this.#association.established;
  }

  abort(): void {
    this.#association.abort();
  }

  #check(request: AssociateRq): Rejection | undefined {
    const rejection = protocolRefusal(request) ?? this.#admit(request);
    if (rejection === undefined) return undefined;
    const { logger, events } = this.#around.deps;
    const { result, source, reason } = rejection;
    logger.log('warn', 'association.rejected', { ...this.#logFields(request), result, source, reason });
    events?.onRejected(rejection, {
      remoteAddress: this.#remote,
      callingAeTitle: request.callingAeTitle.trim(),
      calledAeTitle: request.calledAeTitle.trim(),
    });
    return rejection;
  }

  /** Permanent refusals first: a peer that is not let in is not told that it may come back. */
  #admit(request: AssociateRq): Rejection | undefined {
    const { scp, deps, closing, limitReached } = this.#around;
    const called = scp.aeTitles.find(({ aeTitle }) => sameAeTitle(aeTitle, request.calledAeTitle));
    if (called === undefined) return REJECTION.calledAeTitleNotRecognized;
    const callingAeTitle = request.callingAeTitle.trim();
    const peer = peerOf(scp.peers, {
      callingAeTitle,
      remoteAddress: this.#remote,
      tls: tlsIdentityOf(this.#socket),
    });
    if (peer === undefined) return REJECTION.callingAeTitleNotRecognized;
    const identity = this.#identityOf(request);
    const proven = identity?.kind === 'accepted';
    if (identity?.kind === 'refused' || (scp.users?.required === true && !proven))
      return REJECTION.authenticationFailed;
    if (closing()) return REJECTION.temporaryCongestion;
    if (limitReached(this.#remote, peer)) return REJECTION.localLimitExceeded;
    const facts: AssociationFacts = {
      number: this.#number,
      remoteAddress: this.#remote,
      callingAeTitle,
      calledAeTitle: request.calledAeTitle.trim(),
      customer: peer.customer ?? called.customer,
      profile: called.profile,
      tls: this.#tls,
      user: proven ? identity.user : undefined,
      mayStore: peer.store !== false,
      implementation: request.userInformation.implementationVersionName ?? '',
    };
    const refusal = deps.handler.admit(facts);
    if (refusal !== undefined) return refusal;
    this.#facts = facts;
    this.#peer = peer;
    return undefined;
  }

  /** One that is wrong is refused even where none is asked for; undefined: none was offered, or none is looked at. */
  #identityOf(request: AssociateRq): IdentityVerdict | undefined {
    const { users } = this.#around.scp;
    const { userIdentity } = request.userInformation;
    return users === undefined || userIdentity === undefined ? undefined : verdictOn(users, userIdentity);
  }

  #accept(request: AssociateRq): void {
    const { scp, deps } = this.#around;
    const facts = this.#facts;
    if (facts === undefined) throw new LetheError('INVARIANT', { what: 'request without facts' });
    const { response, contexts } = negotiate(request, scp.negotiation, facts.user !== undefined);
    this.#session = new StorageSession({
      association: this.#association,
      facts,
      contexts,
      peerMaxPduLengthBytes: request.userInformation.maxPduLengthBytes,
      operationsMax: response.userInformation.asyncWindow?.invoked ?? 1,
      handler: deps.handler.open(facts),
      logger: deps.logger,
      validation: { ...VALIDATION, ...scp.validation },
      unknownSopClasses: scp.negotiation.unknownSopClasses,
      instancesMax: scp.maxInstancesPerAssociation ?? Number.POSITIVE_INFINITY,
      bytesMax: scp.maxBytesPerAssociation ?? Number.POSITIVE_INFINITY,
      ...this.#commitment(facts, request),
      onResponse: (status, ms) => deps.events?.onResponse(status, ms),
    });
    deps.logger.log('info', 'association.accepted', { ...this.#logFields(request), contexts: contexts.length });
    this.#reportOpaque(request, contexts);
    deps.events?.onAccepted?.(facts, contexts.filter(isOpaque).length);
    this.#association.accept(response);
  }

  /** What is stored as opaque bytes is worth a line: somebody has to know it before a destination refuses it. */
  #reportOpaque(request: AssociateRq, contexts: readonly NegotiatedContext[]): void {
    for (const { abstractSyntax: sopClass, transferSyntax } of contexts.filter(isOpaque))
      this.#around.deps.logger.log('info', 'association.opaque', {
        ...this.#logFields(request),
        sopClass,
        transferSyntax,
      });
  }

  #commitment(facts: AssociationFacts, request: AssociateRq): { commitment?: CommitmentService } {
    const { commitment: reporter, logger } = this.#around.deps;
    if (reporter === undefined) return {};
    const peerMaxPduLengthBytes = request.userInformation.maxPduLengthBytes;
    const association = this.#association;
    return { commitment: new CommitmentService({ association, facts, peerMaxPduLengthBytes, reporter, logger }) };
  }

  #onEnd({ kind, source, reason, error }: AssociationEnd): void {
    this.#session?.onEnd();
    if (this.#ended) return;
    this.#ended = true;
    const timer = error?.detail['timer'];
    this.#around.deps.events?.onEnded?.(kind);
    this.#around.deps.logger.log(kind === 'provider' ? 'warn' : 'info', 'association.aborted', {
      ...this.#endFields(),
      ...(source === undefined ? {} : { source }),
      ...(reason === undefined ? {} : { reason }),
      ...(error === undefined ? {} : { code: error.code }),
      ...(typeof timer === 'string' ? { detail: `timer=${timer}` } : {}),
    });
  }

  #onClosed(): void {
    const session = this.#session;
    session?.onEnd();
    if (session !== undefined && !this.#ended) {
      const { instances, bytes } = session;
      this.#around.deps.events?.onEnded?.('released');
      this.#around.deps.logger.log('info', 'association.released', { ...this.#endFields(), instances, bytes });
    }
    this.#around.closed();
  }

  #endFields() {
    const facts = this.#facts;
    const titles =
      facts === undefined ? {} : { callingAeTitle: facts.callingAeTitle, calledAeTitle: facts.calledAeTitle };
    return { association: this.#number, remote: this.#remote, ...titles };
  }

  #logFields(request: AssociateRq) {
    const callingAeTitle = request.callingAeTitle.trim();
    const calledAeTitle = request.calledAeTitle.trim();
    return { association: this.#number, remote: this.#remote, callingAeTitle, calledAeTitle };
  }
}
