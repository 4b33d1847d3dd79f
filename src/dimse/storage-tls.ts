/**
 * The listener's side of DIMSE-TLS: BCP 195 (RFC 9325) as PS3.15 §B.12 profiles it, certificates from PEM files, and
 * the names that a client's certificate proves.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { LetheError } from '../core/errors.ts';

export interface ScpTlsOptions {
  readonly port: number;
  /** Paths of PEM files. */
  readonly cert: string;
  readonly key: string;
  readonly ca?: string;
  readonly clientAuth: 'required' | 'optional' | 'none';
}

/** TLS 1.2 or newer, forward secrecy, authenticated encryption. @throws CONFIG_UNREADABLE */
export function tlsContext(options: ScpTlsOptions) {
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

const DAY_MS = 24 * 60 * 60 * 1000;

/** Until the first certificate of the file expires; negative when it has. @throws CONFIG_UNREADABLE */
export function expiresInDays(options: ScpTlsOptions, nowMs: number): number {
  try {
    return Math.floor((new X509Certificate(pem(options.cert)).validToDate.getTime() - nowMs) / DAY_MS);
  } catch (error) {
    throw error instanceof LetheError ? error : new LetheError('CONFIG_UNREADABLE', { path: options.cert });
  }
}

/** Names in a verified client certificate: subject alternative DNS names and the common name. */
export function tlsNamesOf(socket: Socket): readonly string[] {
  const secure = socket as Partial<TLSSocket>;
  if (secure.authorized !== true || secure.getPeerCertificate === undefined) return [];
  const { subject, subjectaltname = '' } = secure.getPeerCertificate();
  // Node quotes names with separators in them: such a list cannot be split safely, so it names nobody.
  const alternatives = subjectaltname.includes('"') ? [] : subjectaltname.split(', ');
  const dnsNames = alternatives.flatMap((name) => (name.startsWith('DNS:') ? [name.slice(4)] : []));
  const common = subject?.CN;
  return [...dnsNames, ...(typeof common === 'string' ? [common] : (common ?? []))];
}
