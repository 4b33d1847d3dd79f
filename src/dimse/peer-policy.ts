/** Who may open an association: by calling AE title, address or network, and name in the TLS certificate. Pure. */
import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { LetheError } from '../core/errors.ts';

export interface Peer {
  readonly aeTitle: string;
  /** An address, or a network in CIDR notation. */
  readonly host?: string;
  readonly customer?: string;
  readonly tlsName?: string;
}

export type PeerPolicy = 'any' | readonly Peer[];

export interface Caller {
  readonly callingAeTitle: string;
  readonly remoteAddress: string;
  /** Of a verified certificate; empty on plain connections. */
  readonly tlsNames: readonly string[];
}

/** The entry that lets the caller in; undefined: it stays out. The first entry that fits counts. */
export function peerOf(policy: PeerPolicy, caller: Caller): { readonly customer?: string } | undefined {
  if (policy === 'any') return {};
  return policy.find((peer) => fits(peer, caller));
}

function fits(peer: Peer, caller: Caller): boolean {
  if (peer.aeTitle.trim() !== caller.callingAeTitle.trim()) return false;
  if (peer.tlsName !== undefined && !caller.tlsNames.includes(peer.tlsName)) return false;
  return peer.host === undefined || isWithin(caller.remoteAddress, peer.host);
}

/** Says at the start what would otherwise show when the first peer calls. @throws CONFIG_INVALID */
export function checkPeers(policy: PeerPolicy): void {
  if (policy === 'any') return;
  for (const { host } of policy) if (host !== undefined) isWithin('127.0.0.1', host);
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
