/**
 * Foreign programs that tests talk to (DCMTK, Orthanc, dicom3tools, Chromium, ...). Where one is missing a test skips
 * with the Debian package that brings it; with LETHE_REQUIRE_PEERS=1 (as CI sets it) a missing one is a failure.
 */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const PACKAGES: Readonly<Record<string, string>> = {
  Orthanc: 'orthanc',
  chromium: 'chromium',
  curl: 'curl',
  dciodvfy: 'dicom3tools',
  faketime: 'faketime',
  gdcmdump: 'libgdcm-tools',
  cjxl: 'libjxl-tools',
  gdcmconv: 'libgdcm-tools',
  ojph_compress: 'openjph-tools',
  opj_compress: 'libopenjp2-tools',
  opj_decompress: 'libopenjp2-tools',
  python3: 'python3',
  rsyslogd: 'rsyslog',
  strace: 'strace',
  xmllint: 'libxml2-utils',
  prlimit: 'util-linux',
};

export function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  for (const folder of folders) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not here; the next folder may have it
    }
  }
  return undefined;
}

/** For `test(name, { skip: skipWithoutProgram('storescu') }, ...)`. */
export function skipWithoutProgram(...names: string[]): string | false {
  for (const name of names) {
    if (findProgram(name) !== undefined) continue;
    const reason = `${name} is not installed (Debian package ${PACKAGES[name] ?? 'dcmtk'})`;
    if (process.env['LETHE_REQUIRE_PEERS'] === '1') throw new Error(reason);
    return reason;
  }
  return false;
}
