/** What `lethe check` says of the DICOM listener: its ports, peers, identities and certificates. */
import type { LoadedConfiguration } from '../config/load.ts';
import type { Configuration } from '../config/schema.ts';
import { checkPeers } from '../dimse/peer-policy.ts';
import { expiresInDays, type ScpTlsOptions, tlsContext } from '../dimse/storage-tls.ts';
import { scpOptions } from '../gateway/scp-options.ts';

/** Soon enough to be renewed in working hours. */
const EXPIRY_WARNING_DAYS = 30;

/** Ports of the listener by the key that sets them. */
export function listenerPorts({ enabled, plain, port, furtherPorts, tls }: Configuration['dicom']) {
  if (!enabled) return [];
  return [
    ...(plain
      ? [{ key: 'dicom.port', port }, ...furtherPorts.map((one) => ({ key: 'dicom.furtherPorts', port: one }))]
      : []),
    ...(tls === undefined ? [] : [{ key: 'dicom.tls.port', port: tls.port }]),
  ];
}

/** Opens what the start would open. @throws CONFIG_* for what would stop the start */
export function checkListener(
  { configuration, baseDir }: LoadedConfiguration,
  env: Readonly<Record<string, string | undefined>>,
): void {
  checkPeers(scpOptions(configuration, { baseDir, env }).peers);
}

/** @throws CONFIG_UNREADABLE */
export function certificateFinding(
  tls: ScpTlsOptions,
  nowMs: number,
): { level: 'ok' | 'warning' | 'error'; message: string } {
  tlsContext(tls);
  const days = expiresInDays(tls, nowMs);
  const level = days < 0 ? 'error' : days < EXPIRY_WARNING_DAYS ? 'warning' : 'ok';
  return { level, message: days < 0 ? `expired ${-days} days ago` : `expires in ${days} days` };
}
