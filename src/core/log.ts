/**
 * The events this program can log, declared once with the fields each may carry. A call outside the list does not
 * compile, which keeps element values out of the logs: there is no field to put one in. UIDs appear only as
 * `uidHash` (salted per start); instances are named by our own id.
 */
import type { ErrorCode } from './errors.ts';

interface AssociationFields {
  association: number;
  remote: string;
  callingAeTitle?: string;
  calledAeTitle?: string;
}
interface InstanceFields {
  instance: string;
  customer?: string;
}
interface FailureFields {
  code: ErrorCode;
  detail?: string;
}

export interface LogEvents {
  'gateway.starting': { version: string; node: string };
  'gateway.started': { dicomPort?: number; tlsPort?: number; httpPort?: number };
  'gateway.stopping': { reason: string };
  'gateway.stopped': { parked: number };
  'gateway.warning': { what: string; code?: ErrorCode };
  'recovery.finished': { found: number; requeued: number; repaired: number; removed: number; lost: number };
  'recovery.torn': InstanceFields;
  /** Its prepared output was not what was written and is made again. */
  'instance.remade': InstanceFields;
  'association.accepted': AssociationFields & { contexts: number };
  'association.opaque': AssociationFields & { sopClass: string; transferSyntax: string };
  'association.rejected': AssociationFields & { result: number; source: number; reason: number };
  'association.released': AssociationFields & { instances: number; bytes: number };
  'association.aborted': AssociationFields & { source?: number; reason?: number; code?: ErrorCode; detail?: string };
  'association.failed': AssociationFields & FailureFields;
  'store.refused': AssociationFields & { status: number; code?: ErrorCode; detail?: string };
  'tls.reloaded': { expiresInDays: number };
  'tls.failed': { remote: string; code: string };
  'commitment.requested': AssociationFields & { transaction: string; count: number };
  'commitment.answered': { transaction: string; committed: number; failed: number };
  'commitment.deferred': { transaction: string; attempt: number; code: ErrorCode };
  'instance.received': InstanceFields & { source: string; bytes: number; sopClass?: string };
  'instance.duplicate': InstanceFields & { sameContent: boolean };
  /** Its bytes had been lost; the sender had them still. */
  'instance.restored': InstanceFields;
  'instance.prepared': InstanceFields & { images: number; ms: number };
  'instance.held': InstanceFields & FailureFields;
  'instance.discarded': InstanceFields & { rule: string };
  'instance.erased': InstanceFields;
  'instance.released': InstanceFields & { by: string };
  'delivery.sent': { destination: string; instances: number; bytes: number; ms: number };
  'delivery.deferred': { destination: string; instances: number; attempt: number; delayMs: number } & FailureFields;
  'delivery.held': { destination: string; instances: number } & FailureFields;
  'destination.opened': { destination: string; failures: number };
  'destination.closed': { destination: string };
  'folder.taken': { customer: string; files: number };
  'folder.refused': { customer: string } & FailureFields;
  'disk.low': { freeBytes: number; limitBytes: number };
  'disk.recovered': { freeBytes: number };
  'worker.replaced': { worker: number; reason: string };
  'http.failed': { method: string; route: string; status: number; code: ErrorCode };
  'http.refused': { method: string; route: string; status: number; remote: string };
  'audit.checkpoint': { entries: number };
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface Logger {
  log<Event extends keyof LogEvents>(level: LogLevel, event: Event, fields: LogEvents[Event]): void;
}

export const silentLogger: Logger = { log: () => undefined };
