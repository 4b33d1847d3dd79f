/** A listener whose custody is memory, with hands on when an instance is taken and what is answered. */
import type { TestContext } from 'node:test';
import type { LogEvents } from '../../src/core/log.ts';
import type { CommitmentReporter } from '../../src/dimse/commitment-reporter.ts';
import type { DataSetFindings } from '../../src/dimse/data-set-inspector.ts';
import type { Rejection } from '../../src/dimse/pdu.ts';
import type { AssociationFacts, StoreRequest, StoreResponse } from '../../src/dimse/storage-handler.ts';
import { StorageScp, type StorageScpOptions } from '../../src/dimse/storage-scp.ts';
import { destroyPeers } from './scripted-peer.ts';

export interface StoredInstance {
  readonly request: StoreRequest;
  readonly facts: AssociationFacts;
  readonly findings: DataSetFindings;
  readonly bytes: Buffer;
}

export interface Hands {
  admit?(facts: AssociationFacts): Rejection | undefined;
  /** Before an instance begins; may throw. */
  begin?(request: StoreRequest): void;
  /** False: the listener waits for `drained`. */
  write?(bytes: Uint8Array): boolean;
  drained?(): Promise<void>;
  /** Before an instance is taken: delays it, answers otherwise, or throws. */
  complete?(request: StoreRequest): Promise<StoreResponse | undefined>;
  readonly commitment?: CommitmentReporter;
  /** False: bytes are heard and forgotten. */
  readonly keep?: boolean;
}

export interface Listener {
  readonly scp: StorageScp;
  readonly port: number;
  readonly stored: StoredInstance[];
  /** Instances that began and were given up. */
  readonly aborted: string[];
  readonly log: { event: keyof LogEvents; fields: object }[];
  readonly statuses: number[];
  /** Associations whose end the handler heard. */
  readonly ended: number[];
  /** As the metrics hear them. */
  readonly rejections: Rejection[];
}

export const NEGOTIATION = {
  maxPduLengthBytes: 131072,
  unknownSopClasses: 'accept',
  unknownTransferSyntaxes: 'accept',
  preferredTransferSyntaxes: [],
  operationsPerformedMax: 4,
  furtherSopClasses: new Set<string>(),
} as const;

export async function startListener(
  context: TestContext,
  options: Partial<StorageScpOptions> = {},
  hands: Hands = {},
): Promise<Listener> {
  const stored: StoredInstance[] = [];
  const aborted: string[] = [];
  const log: Listener['log'] = [];
  const statuses: number[] = [];
  const ended: number[] = [];
  const rejections: Rejection[] = [];
  const open = (facts: AssociationFacts) => ({
    begin: (request: StoreRequest) => {
      hands.begin?.(request);
      const chunks: Buffer[] = [];
      return {
        write: (bytes: Uint8Array) => {
          if (hands.keep !== false) chunks.push(Buffer.from(bytes));
          return hands.write?.(bytes) ?? true;
        },
        drained: async () => hands.drained?.(),
        complete: async (findings: DataSetFindings) => {
          const response = await hands.complete?.(request);
          stored.push({ request, facts, findings, bytes: Buffer.concat(chunks) });
          return response ?? { status: 0 };
        },
        abort: () => void aborted.push(request.sopInstanceUid),
      };
    },
    end: () => void ended.push(facts.number),
  });
  const scp = await StorageScp.listen(
    {
      host: '127.0.0.1',
      port: 0,
      aeTitles: [{ aeTitle: 'LETHE', customer: 'main', profile: 'basic' }],
      peers: 'any',
      maxAssociations: 20,
      maxAssociationsPerPeer: 20,
      negotiation: NEGOTIATION,
      ...options,
    },
    {
      handler: { admit: (facts) => hands.admit?.(facts), open },
      logger: { log: (_level, event, fields) => void log.push({ event, fields }) },
      ...(hands.commitment === undefined ? {} : { commitment: hands.commitment }),
      events: {
        onResponse: (status) => void statuses.push(status),
        onRejected: (rejection) => void rejections.push(rejection),
      },
    },
  );
  context.after(() => {
    destroyPeers();
    return scp.close(0);
  });
  return { scp, port: scp.ports.plain, stored, aborted, log, statuses, ended, rejections };
}

/** Resolves when `holds`; the test's own timeout is the limit. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}
