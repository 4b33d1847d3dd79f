/** Who may open an association: by calling AE title, address or network, and what its TLS certificate proves. Pure. */
import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { LetheError } from '../core/errors.ts';

/** What is given must all fit; at least one of title, host, name and fingerprint is. */
export interface Peer {
  readonly aeTitle?: string;
  /** An address, or a network in CIDR notation. */
  readonly host?: string;
  readonly customer?: string;
  /** A subject alternative name, the common name, or the whole subject as `C=..., O=..., CN=...`. */
  readonly tlsName?: string;
  /** SHA-256 of the certificate, hexadecimal, with or without colons. */
  readonly tlsFingerprint?: string;
  /** Associations at once of this entry; absent: only the limits for all. */
  readonly maxAssociations?: number;
  /** False: it may verify the connection; C-STORE is answered with Not authorized (0124). */
  readonly store?: boolean;
}

export type PeerPolicy = 'any' | readonly Peer[];

/** What a verified client certificate proves; empty on plain connections. */
export interface TlsIdentity {
  readonly names: readonly string[];
  /** Of the certificate itself: SHA-256, lower case, no colons. */
  readonly fingerprint?: string;
}

export interface Caller {
  readonly callingAeTitle: string;
  readonly remoteAddress: string;
  readonly tls: TlsIdentity;
}

const ANYBODY: Peer = {};

/** The entry that lets the caller in; undefined: it stays out. The first entry that fits counts. */
export function peerOf(policy: PeerPolicy, caller: Caller): Peer | undefined {
  if (policy === 'any') return ANYBODY;
  return policy.find((peer) => fits(peer, caller));
}

function fits(peer: Peer, { callingAeTitle, remoteAddress, tls }: Caller): boolean {
  if (peer.aeTitle !== undefined && peer.aeTitle.trim() !== callingAeTitle.trim()) return false;
  if (peer.tlsName !== undefined && !tls.names.includes(peer.tlsName)) return false;
  if (peer.tlsFingerprint !== undefined && hexOf(peer.tlsFingerprint) !== tls.fingerprint) return false;
  return peer.host === undefined || isWithin(remoteAddress, peer.host);
}

function hexOf(fingerprint: string): string {
  return fingerprint.replaceAll(':', '').toLowerCase();
}

const SHA256_HEX = /^[0-9a-f]{64}$/;

/** Says at the start what would otherwise show when the first peer calls. @throws CONFIG_INVALID */
export function checkPeers(policy: PeerPolicy): void {
  if (policy === 'any') return;
  for (const { aeTitle, host, tlsName, tlsFingerprint } of policy) {
    if (host !== undefined) isWithin('127.0.0.1', host);
    if (tlsFingerprint !== undefined && !SHA256_HEX.test(hexOf(tlsFingerprint)))
      throw new LetheError('CONFIG_INVALID', { key: 'dicom.peers', problem: 'tlsFingerprint is no SHA-256' });
    if ([aeTitle, host, tlsName, tlsFingerprint].every((one) => one === undefined))
      throw new LetheError('CONFIG_INVALID', {
        key: 'dicom.peers',
        problem: 'an entry names no AE title, host or certificate: it would let anybody in',
      });
  }
}

/** @throws CONFIG_INVALID where `network` is neither an address nor a network */
export function isWithin(address: string, network: string): boolean {
  const [base = '', bits] = network.split('/');
  const family = isIPv4(base) ? 'ipv4' : isIPv6(base) ? 'ipv6' : undefined;
  const prefixMax = family === 'ipv4' ? 32 : 128;
  if (family === undefined || (bits !== undefined && !(/^\d{1,3}$/.test(bits) && Number(bits) <= prefixMax)))
    throw new LetheError('CONFIG_INVALID', { key: 'dicom.peers', problem: 'host is no address and no network' });
  const list = new BlockList();
  if (bits === undefined) list.addAddress(base, family);
  else list.addSubnet(base, Number(bits), family);
  return (isIPv4(address) && list.check(address, 'ipv4')) || (isIPv6(address) && list.check(address, 'ipv6'));
}
