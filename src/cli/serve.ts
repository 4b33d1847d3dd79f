/** `lethe serve`: the gateway until SIGTERM or SIGINT. Without configured destinations it brings the reference backend. */
import { join, resolve } from 'node:path';
import { type Backend, startBackend } from '../backend/backend.ts';
import { type LoadedConfiguration, loadConfiguration, sizeBytes } from '../config/load.ts';
import type { DestinationConfiguration } from '../config/schema.ts';
import { type HttpServer, startHttp } from '../console/server.ts';
import { PEM_BYTES_MAX, readTextFile } from '../core/bounded-file.ts';
import { systemClock } from '../core/clock.ts';
import { toLetheError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import { Gateway } from '../gateway/gateway.ts';
import { CONFIG_OPTION, type Command, EXIT, type Invocation, textOption } from './command.ts';
import { createLogger } from './logging.ts';

export const command: Command = {
  summary: 'Runs the gateway until SIGTERM or SIGINT.',
  usage: '[--config FILE]',
  options: { config: CONFIG_OPTION },
  details: `Without a configuration it listens on loopback only (DICOM 11112, HTTP 8042) and delivers to the reference backend,
which it starts on port 9100. Logs go to standard output, one JSON object a line. SIGHUP reads the TLS certificate of the
DICOM listener again.`,
  run: serve,
};

export const BACKEND_PORT = 9100;
const STOP_DEADLINE_MS = 29_000; // the interface promises 30 s

async function serve({ options, cwd, env, terminal }: Invocation): Promise<number> {
  const loaded = loadConfiguration({ path: textOption(options, 'config'), cwd, env });
  const logger = createLogger(loaded.configuration.logLevel);
  const stopped = signalled(); // listened for from the first moment: a stop during the start is a stop
  const running = await startAll(loaded, { logger, env });
  const http =
    running.http === undefined ? '' : `, console http://${loaded.configuration.http.host}:${running.http.port}`;
  terminal.note(
    `lethe: listening for DICOM on ${loaded.configuration.dicom.host}:${running.gateway.ports.dicom ?? '-'}${http}`,
  );
  process.on('SIGHUP', () => reloadCertificates(running.gateway, logger));
  const reason = await stopped;
  const deadline = setTimeout(() => process.exit(EXIT.failure), STOP_DEADLINE_MS);
  await running.stop(reason);
  clearTimeout(deadline);
  return EXIT.success;
}

/** A new certificate that cannot be read leaves the old one in force. */
function reloadCertificates(gateway: Gateway, logger: Logger): void {
  try {
    gateway.reloadCertificates();
  } catch (error) {
    logger.log('error', 'gateway.warning', { what: 'certificate reload', code: toLetheError(error).code });
  }
}

export interface Running {
  readonly gateway: Gateway;
  readonly http: HttpServer | undefined;
  readonly backend: Backend | undefined;
  stop(reason: string): Promise<void>;
}

/** Everything that `serve` and `demo` run: what fails to start ends what has started. */
export async function startAll(
  loaded: LoadedConfiguration,
  deps: { logger: Logger; env: Invocation['env']; backendPort?: number },
): Promise<Running> {
  const { configuration } = loaded;
  const backend =
    configuration.destinations === undefined
      ? await startOwnBackend(configuration.dataDir, deps.backendPort ?? BACKEND_PORT)
      : undefined;
  const destinations = configuration.destinations ?? defaultDestinations(backend?.port ?? BACKEND_PORT);
  let gateway: Gateway | undefined;
  try {
    gateway = await Gateway.start({ loaded, destinations, env: deps.env, logger: deps.logger });
    const http = configuration.http.enabled
      ? await startHttp(httpOptions(loaded), gateway.admin, { logger: deps.logger, clock: systemClock })
      : undefined;
    const started = gateway;
    const stop = async (reason: string) => {
      await http?.close();
      await started.stop(reason);
      await backend?.close();
    };
    return { gateway, http, backend, stop };
  } catch (error) {
    await gateway?.stop('start failed');
    await backend?.close();
    throw error;
  }
}

function startOwnBackend(dataDir: string, port: number): Promise<Backend> {
  return startBackend({ host: '127.0.0.1', port, dir: join(dataDir, 'backend') });
}

/** Images by the contract; what has no image as DICOM, because the contract cannot express it. */
function defaultDestinations(port: number): DestinationConfiguration[] {
  const url = `http://127.0.0.1:${port}`;
  return [
    { name: 'backend', type: 'image-api', url, gzip: false, timeoutSeconds: 60 },
    { name: 'backend-objects', type: 'stow-rs', url: `${url}/dicom-web`, accepts: 'non-images', timeoutSeconds: 60 },
  ];
}

function httpOptions({ configuration, baseDir }: LoadedConfiguration) {
  const { host, port, tls, users } = configuration.http;
  return {
    host,
    port,
    users: users ?? [],
    bodyLimitBytes: sizeBytes(configuration.limits.maxHttpBodyBytes),
    ...(tls === undefined ? {} : { tls: { cert: pem(tls.cert, baseDir), key: pem(tls.key, baseDir) } }),
  };
}

function pem(path: string, baseDir: string): string {
  return readTextFile(resolve(baseDir, path), PEM_BYTES_MAX);
}

export function signalled(): Promise<string> {
  return new Promise((done) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => done(signal));
  });
}
