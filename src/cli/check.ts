/** `lethe check`: configuration and surroundings, one line a finding. Changes nothing. */

import { accessSync, constants, existsSync, readFileSync, statfsSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import { type LoadedConfiguration, loadConfiguration, sizeBytes } from '../config/load.ts';
import { hashPassword } from '../console/auth.ts';
import { systemClock } from '../core/clock.ts';
import { ERRORS, type ErrorCode, toLetheError } from '../core/errors.ts';
import { destinationOf } from '../gateway/destinations.ts';
import { compileRules } from '../gateway/inspect.ts';
import { defaultKeyPath, readKeyFile, studiesKeyPath } from '../gateway/keys.ts';
import { profilesOf } from '../gateway/profile-text.ts';
import { readProfile } from '../gateway/read-profile.ts';
import { rulesOf } from '../gateway/rules.ts';
import { certificateFinding, checkListener, listenerPorts } from './check-listener.ts';
import {
  CONFIG_OPTION,
  type Command,
  EXIT,
  flag,
  type Invocation,
  JSON_OPTION,
  type Terminal,
  textOption,
  UsageError,
} from './command.ts';
import { storePath } from './offline.ts';
import { bytesText } from './table.ts';

export const command: Command = {
  summary: 'Validates the configuration and its surroundings: ports, disk, keys, profile, rules, destinations.',
  usage: '[--config FILE]',
  options: {
    config: CONFIG_OPTION,
    'hash-password': {
      type: 'boolean',
      help: 'Read a password from standard input and print its hash for http.users.',
    },
    json: JSON_OPTION,
  },
  details:
    'Exits 1 when a finding is an error. A port that is taken is an error unless the gateway itself is running there.',
  run,
};

interface Finding {
  readonly level: 'ok' | 'warning' | 'error';
  readonly what: string;
  readonly message: string;
}

const PROBE_TIMEOUT_MS = 5000;

async function run(invocation: Invocation): Promise<number> {
  const { options, cwd, env, terminal } = invocation;
  if (flag(options, 'hash-password')) return printHash(terminal);
  const findings: Finding[] = [];
  const add = (finding: Finding) => {
    findings.push(finding);
    terminal.out(
      terminal.json ? JSON.stringify(finding) : `${finding.level.padEnd(7)}  ${finding.what}: ${finding.message}`,
    );
  };
  const loaded = attempt(add, 'configuration', () =>
    loadConfiguration({ path: textOption(options, 'config'), cwd, env }),
  );
  if (loaded !== undefined) {
    add({ level: 'ok', what: 'configuration', message: loaded.path ?? 'defaults (no lethe.yaml)' });
    checkFolder(loaded, add);
    checkKeys(loaded, add);
    for (const name of profilesOf(loaded.configuration))
      attempt(add, 'profile', () => readProfile(name, loaded.baseDir));
    attempt(add, 'rules', () => compileRules(rulesOf(loaded.configuration), loaded.placeOf));
    checkDicom(loaded, env, add);
    await checkPorts(loaded, add);
    await checkDestinations(loaded, env, add);
  }
  return findings.some(({ level }) => level === 'error') ? EXIT.failure : EXIT.success;
}

/** From standard input, so that the password is in no history and no process list. */
async function printHash(terminal: Terminal): Promise<number> {
  terminal.note('password, then Enter:');
  const [password = ''] = readFileSync(0, 'utf8').split(/\r?\n/);
  if (password === '') throw new UsageError('the password is empty');
  terminal.out(await hashPassword(password));
  return EXIT.success;
}

type Add = (finding: Finding) => void;

function attempt<Result>(add: Add, what: string, work: () => Result): Result | undefined {
  try {
    return work();
  } catch (error) {
    add({ level: 'error', what, message: toLetheError(error).message });
    return undefined;
  }
}

function checkFolder({ configuration }: LoadedConfiguration, add: Add): void {
  const { dataDir, limits } = configuration;
  let folder = dataDir;
  while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder);
  try {
    accessSync(folder, constants.W_OK);
  } catch {
    add({ level: 'error', what: 'dataDir', message: `${folder} cannot be written` });
    return;
  }
  const facts = statfsSync(folder);
  const free = facts.bavail * facts.bsize;
  const limit = sizeBytes(limits.minFreeDiskBytes);
  const enough = free >= 2 * limit;
  add({
    level: free < limit ? 'error' : enough ? 'ok' : 'warning',
    what: 'disk',
    message: `${bytesText(free)} free, nothing is accepted below ${bytesText(limit)}`,
  });
}

function checkKeys({ configuration }: LoadedConfiguration, add: Add): void {
  const { dataDir, deidentification } = configuration;
  // Every start leaves a database and both keys.
  const hasRun = existsSync(storePath(dataDir));
  const path = deidentification.key?.file ?? defaultKeyPath(dataDir);
  if (existsSync(path)) {
    if (attempt(add, 'key', () => readKeyFile(path)) !== undefined) add({ level: 'ok', what: 'key', message: path });
  } else if (hasRun) add({ level: 'error', what: 'key', message: missing(path, 'DEID_KEY_MISSING') });
  else
    add({
      level: 'warning',
      what: 'key',
      message: `${path} does not exist yet; the first start makes it. Back it up.`,
    });
  const studies = studiesKeyPath(dataDir);
  if (existsSync(studies)) attempt(add, 'key of studies', () => readKeyFile(studies));
  else if (hasRun)
    add({ level: 'warning', what: 'key of studies', message: missing(studies, 'DEID_STUDIES_KEY_MISSING') });
}

function missing(path: string, code: ErrorCode): string {
  return `${path} is missing although a gateway ran with this data folder. ${code}: ${ERRORS[code].message}`;
}

function checkDicom(loaded: LoadedConfiguration, env: Invocation['env'], add: Add): void {
  const { dicom } = loaded.configuration;
  if (!dicom.enabled) return;
  attempt(add, 'dicom', () => checkListener(loaded, env));
  const { tls } = dicom;
  if (tls === undefined) return;
  const finding = attempt(add, 'dicom.tls', () => certificateFinding(tls, systemClock.nowMs()));
  if (finding !== undefined) add({ what: 'dicom.tls certificate', ...finding });
}

async function checkPorts({ configuration }: LoadedConfiguration, add: Add): Promise<void> {
  const { dicom, http } = configuration;
  for (const { key, port } of listenerPorts(dicom)) await checkPort(key, dicom.host, port, add);
  if (http.enabled) await checkPort('http.port', http.host, http.port, add);
}

async function checkPort(what: string, host: string, port: number, add: Add): Promise<void> {
  const problem = await new Promise<string | undefined>((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'cannot listen'));
    server.listen({ host, port }, () => server.close(() => resolve(undefined)));
  });
  if (problem === undefined) add({ level: 'ok', what, message: `${host}:${port} is free` });
  else
    add({
      level: 'error',
      what,
      message: `${host}:${port} ${problem === 'EADDRINUSE' ? 'is taken (by the gateway itself, if it runs)' : problem}`,
    });
}

async function checkDestinations(
  { configuration, baseDir }: LoadedConfiguration,
  env: Invocation['env'],
  add: Add,
): Promise<void> {
  if (configuration.destinations === undefined) {
    add({
      level: 'warning',
      what: 'destinations',
      message: 'none is configured: results go to the reference backend, which starts with the gateway',
    });
    return;
  }
  for (const one of configuration.destinations) {
    const context = { baseDir, env, batching: configuration.batching, callingAeTitle: configuration.dicom.aeTitle };
    const destination = attempt(add, `destination ${one.name}`, () => destinationOf(one, context));
    if (destination === undefined) continue;
    const code = await destination.probe(AbortSignal.timeout(PROBE_TIMEOUT_MS));
    if (code === undefined) add({ level: 'ok', what: `destination ${one.name}`, message: 'reachable' });
    else
      add({
        level: 'warning',
        what: `destination ${one.name}`,
        message: `${code}: ${ERRORS[code].message} Instances would wait.`,
      });
    await destination.close();
  }
}
