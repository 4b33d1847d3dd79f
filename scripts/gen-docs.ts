/**
 * Prints what machines can say better than people: docs/config.md and lethe.schema.json from the configuration's schema,
 * docs/errors.md from the table of errors, docs/metrics.md from the registry. A test compares them with the tree. `--check` fails on a difference.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseConfiguration } from '../src/config/load.ts';
import { ConfigurationSchema } from '../src/config/schema.ts';
import { ERRORS } from '../src/core/errors.ts';
import { conformanceStatement } from '../src/gateway/conformance.ts';
import { Metrics } from '../src/gateway/metrics.ts';

const ROOT = join(import.meta.dirname, '..');

interface Node {
  readonly type?: string;
  readonly const?: unknown;
  readonly default?: unknown;
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly required?: readonly string[];
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
}

export function configurationPage(): string {
  const lines = [
    '# Configuration',
    '',
    'Generated from the schema (`npm run gen`); do not edit. `lethe.yaml` is YAML or JSON; unknown keys are refused with the',
    'nearest known one. `${NAME}` takes a variable of the environment. Secrets may be `{ file: path }` or `{ env: NAME }`.',
    '`LETHE_CONFIG` names the file, `LETHE_DATA_DIR` overrides `dataDir`. Relative paths are relative to the file.',
    '',
    '| key | type | default | meaning |',
    '|---|---|---|---|',
    ...rows(ConfigurationSchema as unknown as Node, ''),
  ];
  return `${lines.join('\n')}\n`;
}

function rows(node: Node, path: string): string[] {
  const lines: string[] = [];
  for (const [name, child] of Object.entries(node.properties ?? {})) {
    const at = path === '' ? name : `${path}.${name}`;
    if (child.properties === undefined) lines.push(row(at, child));
    lines.push(...rows(child, at));
    if (child.items !== undefined) lines.push(...variants(child.items, `${at}[]`));
    else if (child.anyOf?.some((one) => one.items !== undefined) === true)
      for (const one of child.anyOf) if (one.items !== undefined) lines.push(...variants(one.items, `${at}[]`));
  }
  return lines;
}

/** An entry of a list that may take one of several shapes shows each under its `type`. */
function variants(node: Node, path: string): string[] {
  if (node.anyOf === undefined) return rows(node, path);
  return node.anyOf.flatMap((one) => {
    const type = one.properties?.['type']?.const;
    return rows(one, type === undefined ? path : `${path} (${String(type)})`).filter(
      (line) => !line.includes('.type` |'),
    );
  });
}

function row(path: string, node: Node): string {
  const value = node.default === undefined ? '' : `\`${JSON.stringify(node.default)}\``;
  return `| \`${path}\` | ${typeText(node)} | ${value.replaceAll('|', '\\|')} | ${(node.description ?? '').replaceAll('|', '\\|')} |`;
}

function typeText(node: Node): string {
  if (node.const !== undefined) return `\`${String(node.const)}\``;
  if (node.anyOf !== undefined) return [...new Set(node.anyOf.map(typeText))].join(' or ');
  if (node.properties !== undefined)
    return Object.keys(node.properties).length === 1 ? `{ ${Object.keys(node.properties).join(', ')} }` : 'section';
  if (node.items !== undefined) return 'list';
  const range = node.minimum !== undefined && node.maximum !== undefined ? ` ${node.minimum} to ${node.maximum}` : '';
  return `${node.type ?? 'any'}${range}`;
}

export function schemaDocument(): string {
  return `${JSON.stringify({ $schema: 'https://json-schema.org/draft/2020-12/schema', ...ConfigurationSchema }, null, 2)}\n`;
}

const NEXT: Readonly<Record<string, string>> = {
  retry: 'tried again by itself',
  ambiguous: 'repeated where that is safe, else held',
  reject: 'refused to whoever offered it',
  hold: 'held for a person',
  warn: 'said; the work goes on',
  bug: 'ours to mend; report it',
};

export function errorsPage(): string {
  const lines = [
    '# Errors',
    '',
    'Generated from `src/core/error-table.ts` (`npm run gen`); do not edit. Retry looks at the disposition and at nothing else.',
    '',
    '| code | whose | what follows | C-STORE | HTTP | meaning, and what to do |',
    '|---|---|---|---|---|---|',
    ...Object.entries(ERRORS).map(([code, row]) => {
      const dimse = 'dimseStatus' in row ? row.dimseStatus.toString(16).toUpperCase().padStart(4, '0') : '';
      const http = 'httpStatus' in row ? String(row.httpStatus) : '';
      return `| \`${code}\` | ${row.blame} | ${NEXT[row.disposition] ?? ''} | ${dimse} | ${http} | ${row.message} |`;
    }),
  ];
  return `${lines.join('\n')}\n`;
}

export function metricsPage(): string {
  const metrics = new Metrics(() => Promise.reject(new Error('nothing is observed'))).describe();
  const lines = [
    '# Metrics',
    '',
    'Generated from `src/gateway/metrics.ts` (`npm run gen`); do not edit. `GET /metrics` on the HTTP port, Prometheus text format;',
    'beside these the process metrics of prom-client (`process_*`, `nodejs_*`). No label and no value is of a patient.',
    '',
    '| name | type | what |',
    '|---|---|---|',
    ...metrics.map(({ name, type, help }) => `| \`${name}\` | ${type} | ${help} |`),
  ];
  return `${lines.join('\n')}\n`;
}

/** The statement of the default configuration; `lethe conformance` prints that of a site. */
export function conformancePage(): string {
  const configuration = parseConfiguration('{}', 'defaults', {});
  return conformanceStatement({ configuration, baseDir: ROOT });
}

const PAGES: readonly (readonly [path: string, make: () => string])[] = [
  ['docs/config.md', configurationPage],
  ['docs/errors.md', errorsPage],
  ['docs/metrics.md', metricsPage],
  ['lethe.schema.json', schemaDocument],
  ['CONFORMANCE.md', conformancePage],
];

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const [path, make] of PAGES) {
    const file = join(ROOT, path);
    if (!process.argv.includes('--check')) writeFileSync(file, make());
    else if (readFileSync(file, 'utf8') !== make())
      throw new Error(`${path} is not what the schema says: run npm run gen`);
  }
}
