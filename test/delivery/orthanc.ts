/** Starts an Orthanc with its DICOMweb plugin on loopback, with a storage of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram, skipWithoutProgram } from '../support/peers.ts';

const PLUGIN = '/usr/share/orthanc/plugins/libOrthancDicomWeb.so';
const START_MS_MAX = 20_000;

/** For `skip`: false where Orthanc and its DICOMweb plugin are installed. */
export function skipWithoutOrthanc(): string | false {
  const missing = skipWithoutProgram('Orthanc');
  if (missing !== false) return missing;
  return existsSync(PLUGIN) ? false : 'the DICOMweb plugin is not installed (Debian package orthanc-dicomweb)';
}

export interface Orthanc {
  /** Its own REST API. */
  readonly url: string;
  /** Its DICOMweb root. */
  readonly dicomWeb: string;
  readonly dicomPort: number;
  instances(): Promise<string[]>;
  /** The file of an instance as it is stored, by SOP Instance UID. */
  file(sopInstanceUid: string): Promise<Buffer | undefined>;
  clear(): Promise<void>;
  kill(): Promise<void>;
}

/** `more`: keys of Orthanc's own configuration. */
export async function startOrthanc(more: Readonly<Record<string, unknown>> = {}): Promise<Orthanc> {
  const folder = mkdtempSync(join(tmpdir(), 'lethe-orthanc-'));
  const [httpPort, dicomPort] = [await freePort(), await freePort()];
  const configuration = {
    StorageDirectory: join(folder, 'storage'),
    IndexDirectory: join(folder, 'index'),
    HttpPort: httpPort,
    DicomPort: dicomPort,
    DicomAet: 'ORTHANC',
    DicomCheckCalledAet: false,
    DicomAlwaysAllowStore: true,
    UnknownSopClassAccepted: true,
    RemoteAccessAllowed: false,
    AuthenticationEnabled: false,
    OverwriteInstances: false,
    Plugins: [PLUGIN],
    DicomWeb: { Enable: true, Root: '/dicom-web/' },
    ...more,
  };
  writeFileSync(join(folder, 'orthanc.json'), JSON.stringify(configuration));
  const child = spawn(findProgram('Orthanc') ?? 'Orthanc', [join(folder, 'orthanc.json')], {
    stdio: 'ignore',
    cwd: folder,
  });
  const url = `http://127.0.0.1:${httpPort}`;
  await answering(`${url}/system`, child);
  const json = async (path: string, init: RequestInit = {}) => JSON.parse(await (await fetch(url + path, init)).text());
  return {
    url,
    dicomWeb: `${url}/dicom-web`,
    dicomPort,
    instances: () => json('/instances'),
    async file(sopInstanceUid) {
      const [found] = await json('/tools/lookup', { method: 'POST', body: sopInstanceUid });
      if (found === undefined) return undefined;
      return Buffer.from(await (await fetch(`${url}/instances/${found.ID}/file`)).arrayBuffer());
    },
    async clear() {
      for (const id of await json('/patients')) await fetch(`${url}/patients/${id}`, { method: 'DELETE' });
    },
    async kill() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await ended;
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function answering(url: string, child: ChildProcess): Promise<void> {
  const endMs = performance.now() + START_MS_MAX;
  while (performance.now() < endMs && child.exitCode === null) {
    try {
      await fetch(url, { signal: AbortSignal.timeout(1000) });
      return;
    } catch {
      // not yet
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  throw new Error('Orthanc did not start');
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
