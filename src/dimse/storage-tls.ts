/**
 * The listener's side of DIMSE-TLS: the profiles of PS3.15 Annex B that follow BCP 195 (RFC 8996, RFC 9325), certificates
 * from PEM files (further ones by server name, RFC 6066 §3), and what a client's certificate proves. The retired profiles
 * (B.1 to B.3, B.9 to B.11) are not offered.
 */
import { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { PEM_BYTES_MAX, readBoundedFile } from '../core/bounded-file.ts';
import { LetheError } from '../core/errors.ts';
import type { TlsIdentity } from './peer-policy.ts';

/** `bcp195`: PS3.15 §B.12. `bcp195-modified`: PS3.15 §B.13, which names its cipher suites and allows no others. */
export type TlsProfile = 'bcp195' | 'bcp195-modified';

interface PemPair {
  /** Paths of PEM files. */
  readonly cert: string;
  readonly key: string;
}

export interface ScpTlsOptions extends PemPair {
  readonly port: number;
  readonly ca?: string;
  readonly clientAuth: 'required' | 'optional' | 'none';
  readonly profile?: TlsProfile;
  /** Other certificates for clients that ask for this name. */
  readonly serverNames?: readonly (PemPair & { readonly name: string })[];
}

/** Strongest first. Forward secrecy and authenticated encryption only: RFC 9325 §4.2; finite-field DHE should not be. */
const CIPHERS: Readonly<Record<TlsProfile, readonly string[]>> = {
  bcp195: [
    'TLS_AES_256_GCM_SHA384',
    'TLS_CHACHA20_POLY1305_SHA256',
    'TLS_AES_128_GCM_SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-RSA-AES256-GCM-SHA384',
    'ECDHE-ECDSA-CHACHA20-POLY1305',
    'ECDHE-RSA-CHACHA20-POLY1305',
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES128-GCM-SHA256',
  ],
  // PS3.15 §B.13 also lists the CCM_8 suites, whose tag of 64 bits OpenSSL refuses at its default security level.
  'bcp195-modified': [
    'TLS_AES_256_GCM_SHA384',
    'TLS_CHACHA20_POLY1305_SHA256',
    'TLS_AES_128_GCM_SHA256',
    'TLS_AES_128_CCM_SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-RSA-AES256-GCM-SHA384',
    'ECDHE-ECDSA-AES256-CCM',
    'ECDHE-ECDSA-CHACHA20-POLY1305',
    'ECDHE-RSA-CHACHA20-POLY1305',
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES128-GCM-SHA256',
    'ECDHE-ECDSA-AES128-CCM',
  ],
};

/** Ephemeral keys of at least 256 bits (PS3.15 §B.13; RFC 9325 §4.4 recommends the same). */
const CURVES = 'X25519:P-256:P-384:P-521';

export function cipherSuitesOf(profile: TlsProfile): readonly string[] {
  return CIPHERS[profile];
}

/** TLS 1.2 or newer. @throws CONFIG_UNREADABLE */
export function tlsContext(options: ScpTlsOptions, pair: PemPair = options) {
  return {
    cert: pem(pair.cert),
    key: pem(pair.key),
    ...(options.ca === undefined ? {} : { ca: pem(options.ca) }),
    requestCert: options.clientAuth !== 'none',
    rejectUnauthorized: options.clientAuth === 'required',
    minVersion: 'TLSv1.2' as const,
    ciphers: CIPHERS[options.profile ?? 'bcp195'].join(':'),
    ecdhCurve: CURVES,
    honorCipherOrder: true,
  };
}

function pem(path: string): Buffer {
  return readBoundedFile(path, PEM_BYTES_MAX);
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** Until the first certificate of any of the files expires; negative when it has. @throws CONFIG_UNREADABLE */
export function expiresInDays(options: ScpTlsOptions, nowMs: number): number {
  const days = [options, ...(options.serverNames ?? [])].map(({ cert }) => {
    try {
      return Math.floor((new X509Certificate(pem(cert)).validToDate.getTime() - nowMs) / DAY_MS);
    } catch (error) {
      throw error instanceof LetheError ? error : new LetheError('CONFIG_UNREADABLE', { path: cert });
    }
  });
  return Math.min(...days);
}

const NOBODY: TlsIdentity = { names: [] };
/** DNS:name, IP Address:address, email:address, URI:address. */
const ALTERNATIVE = /^(?:DNS|IP Address|email|URI):(.+)$/;

/** What a verified client certificate proves: its alternative names, its common name, its subject, itself. */
export function tlsIdentityOf(socket: Socket): TlsIdentity {
  const secure = socket as Partial<TLSSocket>;
  const certificate = secure.authorized === true ? secure.getPeerX509Certificate?.() : undefined;
  if (certificate === undefined) return NOBODY;
  const { subject, subjectAltName = '', fingerprint256 } = certificate;
  // Node quotes names with separators in them: such a list cannot be split safely, so it names nobody.
  const alternatives = subjectAltName.includes('"') ? [] : subjectAltName.split(', ');
  const names = alternatives.flatMap((name) => ALTERNATIVE.exec(name)?.[1] ?? []);
  const lines = (subject ?? '').split('\n');
  const common = lines.flatMap((line) => (line.startsWith('CN=') ? [line.slice(3)] : []));
  return {
    names: [...names, ...common, lines.join(', ')].filter((name) => name !== ''),
    fingerprint: fingerprint256.replaceAll(':', '').toLowerCase(),
  };
}
