/** The audit of a running gateway: its start and end on record, its chain signed, and told to a repository. */
import { join, resolve } from 'node:path';
import { type SyslogOptions, syslogSender } from '../audit/syslog.ts';
import type { Configuration, DestinationConfiguration } from '../config/schema.ts';
import { PEM_BYTES_MAX, readTextFile } from '../core/bounded-file.ts';
import type { Clock } from '../core/clock.ts';
import type { Logger } from '../core/log.ts';
import { VERSION } from '../core/version.ts';
import type { Store } from '../queue/store.ts';
import { AuditExport } from './audit-export.ts';
import { AuditKeeper } from './audit-keeper.ts';

type SyslogConfiguration = NonNullable<Configuration['audit']['syslog']>;

export interface SiteAuditOptions {
  readonly configuration: Configuration;
  readonly destinations: readonly DestinationConfiguration[];
  readonly baseDir: string;
}

export class SiteAudit {
  readonly #store: Store;
  readonly #keeper: AuditKeeper;
  readonly #exporter: AuditExport | undefined;

  /** @throws AUDIT_KEY_UNREADABLE, CONFIG_UNREADABLE */
  constructor(options: SiteAuditOptions, deps: { store: Store; clock: Clock; logger: Logger }) {
    const { dataDir, audit } = options.configuration;
    this.#store = deps.store;
    this.#keeper = new AuditKeeper({ dataDir, everyMs: audit.checkpointHours * 3_600_000 }, deps);
    this.#exporter = audit.syslog === undefined ? undefined : exporterOf(audit.syslog, options, deps);
  }

  /** Whether a repository wants to know of transfers that begin. */
  get exports(): boolean {
    return this.#exporter !== undefined;
  }

  async start(): Promise<void> {
    await this.#exporter?.start();
    await this.#store.note('gateway.started', `version ${VERSION}`);
    this.#keeper.start();
  }

  async stop(reason: string): Promise<void> {
    await this.#store.note('gateway.stopped', reason);
    await this.#keeper.stop();
    await this.#exporter?.stop();
  }

  /** Undefined where nothing is exported. */
  async unsent(): Promise<number | undefined> {
    return this.#exporter?.unsent();
  }
}

function exporterOf(
  syslog: SyslogConfiguration,
  { configuration, destinations, baseDir }: SiteAuditOptions,
  deps: { store: Store; clock: Clock; logger: Logger },
): AuditExport {
  const { dicom, dataDir } = configuration;
  const known = new Map(destinations.map((one) => [one.name, { type: one.type, address: addressOf(one) }]));
  return new AuditExport(
    {
      cursorPath: join(dataDir, 'audit', 'syslog.cursor'),
      identifiers: syslog.identifiers,
      context: {
        sourceId: syslog.sourceId ?? dicom.aeTitle,
        siteId: syslog.siteId,
        address: dicom.host,
        destination: (name) => known.get(name),
      },
    },
    { ...deps, sender: syslogSender(syslogOptions(syslog, baseDir)) },
  );
}

function addressOf(destination: DestinationConfiguration): string | undefined {
  if (destination.type === 'dicom') return destination.host;
  return 'url' in destination ? new URL(destination.url).hostname : undefined;
}

function syslogOptions({ protocol, host, port, ca, clientCert }: SyslogConfiguration, baseDir: string): SyslogOptions {
  if (protocol === 'udp') return { protocol, host, port };
  const pem = (path: string) => readTextFile(resolve(baseDir, path), PEM_BYTES_MAX);
  const tls = {
    ...(ca === undefined ? {} : { ca: pem(ca) }),
    ...(clientCert === undefined ? {} : { cert: pem(clientCert.cert), key: pem(clientCert.key) }),
  };
  return { protocol, host, port, tls };
}
