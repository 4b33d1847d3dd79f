/**
 * The floors of ARCHITECTURE.md, enforced: imports go strictly down, pure folders touch nothing, sizes hold. A failure
 * names the file; the remedy is to move code, not to extend this test.
 */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';

const ROOT = join(import.meta.dirname, '..');

/** What each folder may import, besides itself. Type-only imports follow the same rule. */
const FLOORS: Readonly<Record<string, readonly string[]>> = {
  core: [],
  dicom: ['core'],
  queue: ['core'],
  audit: ['core'],
  backend: ['core'],
  dimse: ['dicom', 'core'],
  imaging: ['dicom', 'core'],
  'text-detection': ['core'],
  deid: ['dicom', 'imaging', 'text-detection', 'core'],
  delivery: ['dicom', 'dimse', 'core'],
  samples: ['dicom', 'imaging', 'core'],
  config: ['deid', 'delivery', 'dimse', 'imaging', 'dicom', 'queue', 'audit', 'core'],
  gateway: ['config', 'deid', 'delivery', 'dimse', 'imaging', 'text-detection', 'dicom', 'queue', 'audit', 'core'],
  console: ['gateway', 'core'],
  cli: [
    'console',
    'gateway',
    'config',
    'deid',
    'delivery',
    'dimse',
    'imaging',
    'text-detection',
    'dicom',
    'queue',
    'audit',
    'samples',
    'backend',
    'core',
  ],
};

/** Pure: bytes in, values out. `dimse/association` and `dimse/storage-*` own sockets; the rest of dimse is pure. */
const PURE = /^src\/(dicom|deid|imaging)\//;
const IMPURE_MODULES =
  /^node:(fs|fs\/promises|net|tls|http|https|http2|dgram|child_process|worker_threads|timers|timers\/promises)$/;

function isPure(file: string): boolean {
  return PURE.test(file) || /^src\/dimse\/(pdu|upper-layer|command)/.test(file);
}

const LINES_MAX = 500;
/** Nothing but rows: as long as what they list. */
const PURE_TABLES: ReadonlySet<string> = new Set(['src/core/error-table.ts']);
const FUNCTION_LINES_MAX = 70;

interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
}

const sources = globSync('src/**/*.ts', { cwd: ROOT }).toSorted();

function importsOf(text: string): Import[] {
  const pattern =
    /^(?:import|export)\s+(type\s)?[^'"]*?from\s+['"]([^'"]+)['"]|^import\s+['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/gm;
  return [...text.matchAll(pattern)].map((match) => ({
    specifier: match[2] ?? match[3] ?? match[4] ?? '',
    typeOnly: match[1] !== undefined,
  }));
}

function read(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8');
}

function folderOf(file: string): string {
  return file.split('/')[1] ?? '';
}

test('every folder of src has a floor', () => {
  for (const file of sources) assert.ok(folderOf(file) in FLOORS, `${file}: no floor for this folder`);
});

test('imports go strictly down', () => {
  const faults: string[] = [];
  for (const file of sources) {
    const own = folderOf(file);
    for (const { specifier } of importsOf(read(file)).filter(({ specifier }) => specifier.startsWith('.'))) {
      const target = folderOf(normalize(join(dirname(file), specifier)));
      if (target !== own && !FLOORS[own]?.includes(target)) faults.push(`${file} imports ${specifier}`);
    }
  }
  assert.deepEqual(faults, []);
});

test('the console imports only the admin face of the gateway', () => {
  const faults = sources
    .filter((file) => folderOf(file) === 'console')
    .flatMap((file) =>
      importsOf(read(file))
        .filter(({ specifier }) => /\/gateway\/(?!admin\.ts$)/.test(specifier))
        .map(({ specifier }) => `${file} imports ${specifier}`),
    );
  assert.deepEqual(faults, []);
});

test('there are no import cycles among values', () => {
  assert.deepEqual(cycleIn(valueImports()), undefined);
});

/** Which file takes values from which. */
function valueImports(): Map<string, string[]> {
  const edges = new Map<string, string[]>();
  for (const file of sources) {
    const targets = importsOf(read(file)).filter(({ specifier, typeOnly }) => specifier.startsWith('.') && !typeOnly);
    edges.set(
      file,
      targets.map(({ specifier }) => normalize(join(dirname(file), specifier))),
    );
  }
  return edges;
}

function cycleIn(edges: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return undefined;
    for (const next of edges.get(file) ?? []) {
      const found = visit(next, [...path, file]);
      if (found !== undefined) return found;
    }
    done.add(file);
    return undefined;
  };
  for (const file of edges.keys()) {
    const found = visit(file, []);
    if (found !== undefined) return found;
  }
  return undefined;
}

test('pure floors touch no clock, chance, file or socket', () => {
  const faults: string[] = [];
  for (const file of sources.filter(isPure)) {
    const text = read(file);
    for (const { specifier } of importsOf(text))
      if (IMPURE_MODULES.test(specifier)) faults.push(`${file} imports ${specifier}`);
    for (const call of text.match(
      /\b(Date\.now|new Date\(\)|Math\.random|performance\.now|process\.env|setTimeout|setInterval|randomBytes|getRandomValues)\b/g,
    ) ?? []) {
      faults.push(`${file} uses ${call}`);
    }
  }
  assert.deepEqual(faults, []);
});

test('pure floors touch none by way of another file either', () => {
  const edges = valueImports();
  const touches = (file: string): boolean =>
    importsOf(read(file)).some(({ specifier, typeOnly }) => !typeOnly && IMPURE_MODULES.test(specifier));
  const faults = sources.filter(isPure).flatMap((file) =>
    reachable(file, edges)
      .filter(touches)
      .map((other) => `${file} reaches ${other}`),
  );
  assert.deepEqual(faults, []);
});

function reachable(from: string, edges: ReadonlyMap<string, readonly string[]>): string[] {
  const found = new Set<string>([from]);
  for (const file of found) for (const next of edges.get(file) ?? []) found.add(next);
  return [...found];
}

test('no file is a mansion (pure tables and generated files exempt)', () => {
  const long = sources
    .filter((file) => !file.endsWith('.generated.ts') && !PURE_TABLES.has(file))
    .map((file) => ({ file, lines: read(file).split('\n').length - 1 }));
  assert.deepEqual(
    long.filter(({ lines }) => lines > LINES_MAX),
    [],
  );
});

test('no function is longer than a screen', () => {
  const faults: string[] = [];
  for (const file of sources.filter((name) => !name.endsWith('.generated.ts'))) {
    for (const { name, lines } of functionsOf(read(file)))
      if (lines > FUNCTION_LINES_MAX) faults.push(`${file}: ${name} has ${lines} lines`);
  }
  assert.deepEqual(faults, []);
});

/** Functions and methods by their first line and the closing brace at the same indentation (the formatter guarantees it). */
function functionsOf(text: string): { name: string; lines: number }[] {
  const lines = text.split('\n');
  const found: { name: string; lines: number }[] = [];
  for (const [index, line] of lines.entries()) {
    const match =
      /^(\s*)(?:export\s+)?(?:default\s+)?(?:(?:async\s+)?function\*?\s+(\w+)|(?:(?:static|async|override|get|set|public|private)\s+)*\*?(#?\w+)\s*(?:<[^>]*>)?\([^=]*\)\s*(?::[^=]+)?\{$)/.exec(
        line,
      );
    if (match === null) continue;
    const name = match[2] ?? match[3] ?? '';
    if (/^(if|for|while|switch|catch|return|function)$/.test(name) || !/\{\s*$|\($/.test(line)) continue;
    const end = lines.findIndex((candidate, at) => at > index && candidate.startsWith(`${match[1]}}`));
    if (end > index) found.push({ name, lines: end - index + 1 });
  }
  return found;
}

test('no barrels and no catch-all names', () => {
  const faults = sources.filter((file) => /\/(index|utils?|helpers?|common|manager|service|misc)\.ts$/.test(file));
  assert.deepEqual(faults, []);
});

test('the project speaks only of itself', () => {
  const faults: string[] = [];
  const files = globSync('{src,test,scripts,bench,fuzz,docs,contracts,bin,profiles}/**/*', {
    cwd: ROOT,
    withFileTypes: true,
  })
    .filter((entry) => entry.isFile() && /\.(ts|md|ya?ml|sh|sql|html|css|js)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
  for (const file of files) {
    if (file.endsWith('architecture.test.ts')) continue;
    const text = readFileSync(file, 'utf8');
    if (/registry\.npmjs|deb\.debian|(^|[^\w.])\/(work|farm)\//m.test(text)) faults.push(file);
  }
  assert.deepEqual(faults, []);
});
