/** `lethe explain FILE`: every element, nested ones by path: before, action, after, rule and clause. */
import { resolve } from 'node:path';
import { systemRandom } from '../core/clock.ts';
import { explain } from '../deid/explain.ts';
import { KEY_BYTES, readKeyFile } from '../gateway/keys.ts';
import { readProfile } from '../gateway/read-profile.ts';
import { type Command, EXIT, GENERATION_OPTION, generationOf, JSON_OPTION, textOption, UsageError } from './command.ts';
import { fileSource } from './file-source.ts';
import { tableLines } from './table.ts';

export const command: Command = {
  summary: 'Says what happens to every element of a file, and by which rule and clause.',
  usage: 'FILE [--profile NAME|FILE] [--key FILE] [--generation N]',
  options: {
    profile: { type: 'string', value: 'P', help: 'default, basic, research, seed, or a YAML profile.' },
    key: {
      type: 'string',
      value: 'FILE',
      help: 'Key file; without it a fresh key shows what kind of pseudonym would come.',
    },
    generation: GENERATION_OPTION,
    json: JSON_OPTION,
  },
  details: 'The output holds the original values: treat it like the file.',
  async run({ options, positionals, cwd, terminal }) {
    const [name, ...more] = positionals;
    if (name === undefined || more.length > 0) throw new UsageError('name one file');
    const keyPath = textOption(options, 'key');
    const key = {
      bytes: keyPath === undefined ? systemRandom.bytes(KEY_BYTES) : readKeyFile(resolve(cwd, keyPath)),
      generation: generationOf(options),
    };
    const profile = readProfile(textOption(options, 'profile') ?? 'default', cwd);
    const source = fileSource(resolve(cwd, name));
    try {
      const lines = explain(source, { profile, key });
      if (terminal.json) for (const line of lines) terminal.out(JSON.stringify(line));
      else {
        const columns = [
          { head: 'path', cell: (row: (typeof lines)[number]) => row.path },
          { head: 'keyword', cell: (row: (typeof lines)[number]) => row.keyword, widthMax: 34 },
          { head: 'before', cell: (row: (typeof lines)[number]) => row.before, widthMax: 36 },
          { head: 'action', cell: (row: (typeof lines)[number]) => row.action },
          { head: 'after', cell: (row: (typeof lines)[number]) => row.after ?? '(removed)', widthMax: 46 },
          { head: 'rule', cell: (row: (typeof lines)[number]) => row.rule, widthMax: 40 },
          { head: 'clause', cell: (row: (typeof lines)[number]) => row.clause, widthMax: 40 },
        ];
        for (const line of tableLines(columns, lines)) terminal.out(line);
      }
    } finally {
      source.close();
    }
    return EXIT.success;
  },
};
