/** `lethe profile diff A B FILE...`: what two profiles would do differently. */
import { resolve } from 'node:path';
import { systemRandom } from '../core/clock.ts';
import { toLetheError } from '../core/errors.ts';
import { explain } from '../deid/explain.ts';
import type { CompiledProfile } from '../deid/profile.ts';
import type { PseudonymKey } from '../deid/pseudonym.ts';
import { KEY_BYTES, readKeyFile } from '../gateway/keys.ts';
import { readProfile } from '../gateway/read-profile.ts';
import { type Command, EXIT, GENERATION_OPTION, generationOf, JSON_OPTION, textOption, UsageError } from './command.ts';
import { fileSource } from './file-source.ts';
import { inputFiles } from './input-files.ts';
import { tableLines } from './table.ts';

export const command: Command = {
  summary: 'Shows what two profiles would do differently with files or folders.',
  usage: 'diff A B FILE... [--key FILE] [--generation N]',
  options: {
    key: {
      type: 'string',
      value: 'FILE',
      help: 'Key file, where rules of a profile depend on pseudonyms; without it a fresh key serves both.',
    },
    generation: GENERATION_OPTION,
    json: JSON_OPTION,
  },
  details:
    'Each line is an element that the two treat differently, with how many of the files have it. No values are shown.',
  async run({ options, positionals, cwd, terminal }) {
    const [verb, nameA, nameB, ...names] = positionals;
    if (verb !== 'diff' || nameA === undefined || nameB === undefined || names.length === 0)
      throw new UsageError('profile takes diff A B FILE...');
    const [a, b] = [nameA, nameB].map((name) => readProfile(name, cwd));
    if (a === undefined || b === undefined) throw new UsageError('two profiles are needed');
    const keyPath = textOption(options, 'key');
    const bytes = keyPath === undefined ? systemRandom.bytes(KEY_BYTES) : readKeyFile(resolve(cwd, keyPath));
    const key = { bytes, generation: generationOf(options) };
    const counts = new Map<string, Difference>();
    let failed = 0;
    for (const { path, name } of inputFiles(names, cwd)) {
      try {
        for (const one of differences(path, { a, b, key })) {
          const label = `${one.path} ${one.a} ${one.b}`;
          counts.set(label, { ...one, files: (counts.get(label)?.files ?? 0) + 1 });
        }
      } catch (error) {
        failed++;
        terminal.note(`${name}: ${toLetheError(error).message}`);
      }
    }
    const rows = [...counts.values()].toSorted((x, y) => (x.path < y.path ? -1 : 1));
    if (terminal.json) for (const row of rows) terminal.out(JSON.stringify(row));
    else if (rows.length === 0) terminal.out('no difference');
    else {
      const columns = [
        { head: 'path', cell: (row: Difference) => row.path },
        { head: 'keyword', cell: (row: Difference) => row.keyword },
        { head: nameA, cell: (row: Difference) => row.a },
        { head: nameB, cell: (row: Difference) => row.b },
        { head: 'files', cell: (row: Difference) => row.files },
      ];
      for (const line of tableLines(columns, rows)) terminal.out(line);
    }
    return failed === 0 ? EXIT.success : EXIT.failure;
  },
};

interface Difference {
  readonly path: string;
  readonly keyword: string;
  readonly a: string;
  readonly b: string;
  readonly files: number;
}

function differences(path: string, by: { a: CompiledProfile; b: CompiledProfile; key: PseudonymKey }): Difference[] {
  const source = fileSource(path);
  try {
    const { key } = by;
    const left = new Map(explain(source, { profile: by.a, key }).map((line) => [line.path, line]));
    const right = new Map(explain(source, { profile: by.b, key }).map((line) => [line.path, line]));
    const found: Difference[] = [];
    for (const at of new Set([...left.keys(), ...right.keys()])) {
      const [one, other] = [left.get(at), right.get(at)];
      if (one?.action === other?.action && one?.after === other?.after) continue;
      // Item numbers are no difference of the profiles: a path is counted once for all its items.
      found.push({
        path: at.replace(/\[\d+\]/g, '[]'),
        keyword: one?.keyword ?? other?.keyword ?? '',
        a: one?.action ?? '-',
        b: other?.action ?? '-',
        files: 1,
      });
    }
    return [...new Map(found.map((one) => [`${one.path} ${one.a} ${one.b}`, one])).values()];
  } finally {
    source.close();
  }
}
