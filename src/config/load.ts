/**
 * Reads `lethe.yaml` in two steps: what was written (typed, unknown keys refused with the nearest known one, line and
 * column named), then what it resolves to (environment expanded, paths absolute, sizes in bytes, frozen). Refuses to
 * start rather than guess. Secrets stay references until `openSecret` reads them where they are needed.
 */
import { existsSync } from 'node:fs';
import { dirname, isAbsolute, resolve } from 'node:path';
import { Compile } from 'typebox/compile';
import { readTextFile, SECRET_BYTES_MAX } from '../core/bounded-file.ts';
import { LetheError } from '../core/errors.ts';
import { nearestName } from '../core/nearest.ts';
import { type SchemaError, type SchemaNode, WrittenDocument } from '../core/written-document.ts';
import { Destination } from './destination-schema.ts';
import { type Configuration, ConfigurationSchema, type SecretReference } from './schema.ts';

export interface LoadedConfiguration {
  readonly configuration: Configuration;
  /** Absolute path of the file, undefined when defaults alone are used. */
  readonly path: string | undefined;
  /** Folder that relative paths are relative to. */
  readonly baseDir: string;
  /** Path, line and column of a key, as far as the file has it: for what only those find wrong who use it. */
  placeOf(keys: readonly (string | number)[]): Readonly<Record<string, string | number>>;
}

export interface LoadOptions {
  /** Explicit path (`--config`); must exist. */
  readonly path?: string | undefined;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

const validator = Compile(ConfigurationSchema);
const FILE_BYTES_MAX = 1024 * 1024; // a configuration is written by hand

/** @throws CONFIG_UNREADABLE, CONFIG_INVALID */
export function loadConfiguration(options: LoadOptions): LoadedConfiguration {
  const explicit = options.path ?? options.env['LETHE_CONFIG'];
  const path = resolve(options.cwd, explicit ?? 'lethe.yaml');
  if (!existsSync(path)) {
    if (explicit !== undefined) throw new LetheError('CONFIG_UNREADABLE', { path });
    return resolved({ text: '{}', path: undefined }, options);
  }
  return resolved({ text: readTextFile(path, FILE_BYTES_MAX), path }, options);
}

/** Text -> typed configuration with all defaults. @throws CONFIG_INVALID naming line and column */
export function parseConfiguration(text: string, path: string, env: LoadOptions['env']): Configuration {
  const document = new WrittenDocument(text, { code: 'CONFIG_INVALID', path });
  const complete = validator.Default(expandEnvironment(document.value ?? {}, env, path));
  if (!validator.Check(complete))
    throw document.refusal(complete, errorsOf(complete), ConfigurationSchema as SchemaNode);
  return complete;
}

/**
 * Of destinations only what is wrong with them as the type that they are: every other type complains too, and what is
 * complained of is cut off after the first few.
 */
function errorsOf(value: unknown): SchemaError[] {
  const destinations: unknown = (value as { destinations?: unknown }).destinations;
  for (const [index, one] of (Array.isArray(destinations) ? destinations : []).entries()) {
    const kind = Destination.anyOf.find(({ properties }) => properties.type.const === one?.type);
    const errors = kind === undefined ? [] : Compile(kind).Errors(one);
    if (errors.length > 0)
      return errors.map((error) => ({ ...error, instancePath: `/destinations/${index}${error.instancePath}` }));
  }
  return [...validator.Errors(value)];
}

function expandEnvironment(value: unknown, env: LoadOptions['env'], path: string): unknown {
  if (typeof value === 'string')
    return value.replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_, name: string) => {
      const found = env[name];
      if (found === undefined)
        throw new LetheError('CONFIG_INVALID', { path, problem: `environment variable ${name} is not set` });
      return found;
    });
  if (Array.isArray(value)) return value.map((item) => expandEnvironment(item, env, path));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, expandEnvironment(item, env, path)]));
}

function placesIn(text: string, path: string | undefined): LoadedConfiguration['placeOf'] {
  return (keys) =>
    path === undefined ? {} : { path, ...new WrittenDocument(text, { code: 'CONFIG_INVALID', path }).placeOf(keys) };
}

function resolved(file: { text: string; path: string | undefined }, options: LoadOptions): LoadedConfiguration {
  const { path } = file;
  const configuration = parseConfiguration(file.text, path ?? 'defaults', options.env);
  const baseDir = path === undefined ? options.cwd : dirname(path);
  const at = (file: string) => (isAbsolute(file) ? file : resolve(baseDir, file));
  const dataDir =
    options.env['LETHE_DATA_DIR'] === undefined
      ? at(configuration.dataDir)
      : resolve(options.cwd, options.env['LETHE_DATA_DIR']);
  const complete: Configuration = {
    ...configuration,
    dataDir,
    folders: configuration.folders.map((folder) => ({ ...folder, path: at(folder.path) })),
    dicom: withAbsoluteTls(configuration.dicom, at),
    deidentification: withAbsoluteKey(configuration.deidentification, at),
  };
  const placeOf = placesIn(file.text, path);
  checkPolicies(complete, path ?? 'defaults', placeOf);
  return { configuration: Object.freeze(complete), path, baseDir, placeOf };
}

function withAbsoluteTls(dicom: Configuration['dicom'], at: (file: string) => string): Configuration['dicom'] {
  if (dicom.tls === undefined) return dicom;
  const { cert, key, ca, serverNames } = dicom.tls;
  const names = serverNames.map((one) => ({ ...one, cert: at(one.cert), key: at(one.key) }));
  const files = { cert: at(cert), key: at(key), serverNames: names, ...(ca === undefined ? {} : { ca: at(ca) }) };
  return { ...dicom, tls: { ...dicom.tls, ...files } };
}

function withAbsoluteKey(
  deidentification: Configuration['deidentification'],
  at: (file: string) => string,
): Configuration['deidentification'] {
  const { key } = deidentification;
  if (key?.file === undefined) return deidentification;
  return { ...deidentification, key: { ...key, file: at(key.file) } };
}

/** What single keys cannot say: combinations that would be unsafe or impossible. */
function checkPolicies(configuration: Configuration, path: string, placeOf: LoadedConfiguration['placeOf']): void {
  const { dicom, http } = configuration;
  const refuse = (key: string, problem: string): never => {
    throw new LetheError('CONFIG_INVALID', { path, ...placeOf(key.split('.')), key, problem });
  };
  if (!isLoopback(dicom.host) && dicom.peers === undefined)
    refuse('dicom.peers', 'a listener beyond loopback needs an explicit peer policy (a list of peers, or any)');
  if (!dicom.plain && dicom.tls === undefined) refuse('dicom.plain', 'without a TLS port nothing would listen');
  if (!isLoopback(http.host) && (http.users ?? []).length === 0)
    refuse('http.users', 'a console beyond loopback needs users');
  if (configuration.store !== 'sqlite') refuse('store', 'only sqlite is available in this version');
  if (configuration.objects !== 'local') refuse('objects', 'only local is available in this version');
  if (dicom.commitment !== 'off' && configuration.retention.historyDays * 24 < dicom.commitmentHours)
    refuse('retention.historyDays', 'shorter than dicom.commitmentHours: a commitment could not be answered');
  const names = new Set<string>();
  for (const { name } of configuration.destinations ?? []) {
    if (names.has(name)) refuse('destinations', `two destinations are called ${name}`);
    names.add(name);
  }
  for (const [index, rule] of configuration.rules.entries()) {
    const strange =
      configuration.destinations === undefined ? undefined : rule.destinations?.find((name) => !names.has(name));
    if (strange === undefined) continue;
    const key = `rules.${rule.name}.destinations`;
    const place = placeOf(['rules', index, 'destinations']);
    const didYouMean = nearestName(strange, [...names]);
    const problem = `no destination is called ${strange}`;
    throw new LetheError('CONFIG_INVALID', {
      path,
      ...place,
      key,
      problem,
      didYouMean,
      allowed: [...names].join(', '),
    });
  }
  for (const folder of configuration.folders) {
    if ((folder.customers === undefined) === (folder.customer === undefined))
      refuse('folders', 'each folder takes exactly one of customers: subfolders and customer: NAME');
  }
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 1024,
  Mi: 1024 ** 2,
  Gi: 1024 ** 3,
  Ti: 1024 ** 4,
};

/** `64MiB` -> 67108864. Numbers pass. The schema has checked the shape. */
export function sizeBytes(size: number | string): number {
  if (typeof size === 'number') return size;
  const [, amount, unit] = /^([0-9.]+)\s*([kKMGT]i?)?B?$/.exec(size) ?? [];
  const factor = UNITS[(unit ?? '').replace('K', 'Ki').replace('Kii', 'Ki')] ?? UNITS[unit ?? ''];
  if (amount === undefined || factor === undefined) throw new LetheError('CONFIG_INVALID', { problem: 'not a size' });
  return Math.round(Number(amount) * factor);
}

/** Reads a secret where it is needed. @throws CONFIG_SECRET_MISSING */
export function openSecret(reference: SecretReference, baseDir: string, env: LoadOptions['env']): string {
  if (typeof reference === 'string') return reference;
  if ('env' in reference) {
    const value = env[reference.env];
    if (value === undefined || value === '') throw new LetheError('CONFIG_SECRET_MISSING', { env: reference.env });
    return value;
  }
  const path = isAbsolute(reference.file) ? reference.file : resolve(baseDir, reference.file);
  return readTextFile(path, SECRET_BYTES_MAX, 'CONFIG_SECRET_MISSING').trim();
}
