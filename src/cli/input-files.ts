/** Files named on the command line: files as they are, folders with all files below them, in a stable order. */
import { opendirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { UsageError } from './command.ts';

const FILES_MAX = 1_000_000; // of one call; more is a mistake of the shell

export interface InputFile {
  readonly path: string;
  /** Relative to the folder it was found in, or the file's own name as given. */
  readonly name: string;
}

/** @throws UsageError where a name does not exist */
export function inputFiles(names: readonly string[], cwd: string): InputFile[] {
  const found: InputFile[] = [];
  for (const name of names) {
    const path = resolve(cwd, name);
    const facts = statSync(path, { throwIfNoEntry: false });
    if (facts === undefined) throw new UsageError(`there is no file or folder ${name}`);
    if (facts.isDirectory()) found.push(...filesUnder(path, ''));
    else found.push({ path, name });
    if (found.length > FILES_MAX) throw new UsageError(`more than ${FILES_MAX} files`);
  }
  return found;
}

function filesUnder(folder: string, below: string): InputFile[] {
  const files: InputFile[] = [];
  const folders: string[] = [];
  const directory = opendirSync(folder);
  try {
    for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
      if (entry.isFile()) files.push({ path: join(folder, entry.name), name: join(below, entry.name) });
      else if (entry.isDirectory()) folders.push(entry.name);
    }
  } finally {
    directory.closeSync();
  }
  files.sort((a, b) => (a.path < b.path ? -1 : 1));
  for (const name of folders.toSorted()) files.push(...filesUnder(join(folder, name), join(below, name)));
  return files;
}
