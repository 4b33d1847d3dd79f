/** The listener's options as the configuration says them; `conformance` prints the same. */
import { isLoopback } from '../config/load.ts';
import type { Configuration } from '../config/schema.ts';
import { STORAGE_COMMITMENT_PUSH_MODEL } from '../dimse/negotiation.ts';
import type { PeerPolicy } from '../dimse/peer-policy.ts';
import type { StorageScpOptions } from '../dimse/storage-scp.ts';

/** Larger PDUs bring nothing measurable; two of these fit a socket's buffer. */
const MAX_PDU_LENGTH_BYTES = 256 * 1024;
const OPERATIONS_PERFORMED_MAX = 8;

export function scpOptions({ dicom }: Configuration): StorageScpOptions {
  const peers: PeerPolicy = dicom.peers ?? (isLoopback(dicom.host) ? 'any' : []);
  return {
    host: dicom.host,
    port: dicom.port,
    ...(dicom.tls === undefined ? {} : { tls: dicom.tls }),
    aeTitles: [{ aeTitle: dicom.aeTitle }, ...dicom.aeTitles],
    peers,
    maxAssociations: dicom.maxAssociations,
    maxAssociationsPerPeer: dicom.maxAssociationsPerPeer,
    negotiation: {
      maxPduLengthBytes: MAX_PDU_LENGTH_BYTES,
      unknownSopClasses: dicom.unknownSopClasses,
      unknownTransferSyntaxes: 'accept',
      preferredTransferSyntaxes: [],
      operationsPerformedMax: OPERATIONS_PERFORMED_MAX,
      furtherSopClasses: new Set(dicom.commitment === 'off' ? [] : [STORAGE_COMMITMENT_PUSH_MODEL]),
    },
    timers: { artimTimeoutMs: dicom.artimSeconds * 1000, idleTimeoutMs: dicom.idleSeconds * 1000 },
  };
}
