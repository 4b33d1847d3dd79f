/** How a destination is recognised and how it recognises us over TLS, the same for HTTP and DICOM. */

/** PEM texts. `cert` and `key` together are mutual TLS. */
export interface TlsOptions {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly passphrase?: string;
  /** The name that the certificate must hold; the host otherwise. */
  readonly serverName?: string;
}

/** As `node:tls` takes them. */
export function connectionOptionsOf(tls: TlsOptions | undefined) {
  if (tls === undefined) return {};
  const { serverName, ...rest } = tls;
  return { ...rest, ...(serverName === undefined ? {} : { servername: serverName }) };
}
