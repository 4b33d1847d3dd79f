/** What `echo` and `send` share: the peer's address and titles, TLS, and how an outcome is said. */
import { resolve } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import { PEM_BYTES_MAX, readBoundedFile } from '../core/bounded-file.ts';
import type { OptionHelp } from './command.ts';
import { flag, type Invocation, textOption, UsageError } from './command.ts';

export const PEER_OPTIONS: Readonly<Record<string, OptionHelp>> = {
  calling: { type: 'string', value: 'AET', help: 'Our AE title (default LETHE_SCU).' },
  called: { type: 'string', value: 'AET', help: "The peer's AE title (default LETHE)." },
  tls: { type: 'boolean', help: 'Use TLS.' },
  'tls-ca': { type: 'string', value: 'FILE', help: 'PEM file with the authorities that sign the peer.' },
  'tls-cert': { type: 'string', value: 'FILE', help: 'PEM file with our certificate.' },
  'tls-key': { type: 'string', value: 'FILE', help: 'PEM file with our private key.' },
};

export interface PeerAddress {
  readonly host: string;
  readonly port: number;
  readonly callingAeTitle: string;
  readonly calledAeTitle: string;
  readonly tls?: ConnectionOptions;
}

export function peerAddress({ positionals, options, cwd }: Invocation): PeerAddress {
  const [host, portText] = positionals;
  const port = Number(portText);
  if (host === undefined || !Number.isInteger(port) || port < 1 || port > 65535)
    throw new UsageError('HOST and PORT are required');
  const read = (name: string) => {
    const path = textOption(options, name);
    return path === undefined ? undefined : readBoundedFile(resolve(cwd, path), PEM_BYTES_MAX);
  };
  const [ca, cert, key] = [read('tls-ca'), read('tls-cert'), read('tls-key')];
  const wantsTls = flag(options, 'tls') || ca !== undefined || cert !== undefined;
  const tls = wantsTls
    ? {
        tls: {
          minVersion: 'TLSv1.2' as const,
          ...(ca === undefined ? {} : { ca }),
          ...(cert === undefined ? {} : { cert }),
          ...(key === undefined ? {} : { key }),
        },
      }
    : {};
  return {
    host,
    port,
    callingAeTitle: textOption(options, 'calling') ?? 'LETHE_SCU',
    calledAeTitle: textOption(options, 'called') ?? 'LETHE',
    ...tls,
  };
}

export function statusText(status: number): string {
  return status.toString(16).toUpperCase().padStart(4, '0');
}
