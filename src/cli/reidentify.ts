/** `lethe reidentify`: original identifiers of pseudonyms, for who holds the crosswalk's private key. */
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { PEM_BYTES_MAX, readTextFile } from '../core/bounded-file.ts';
import { LetheError, toLetheError } from '../core/errors.ts';
import { type CrosswalkEntry, openCrosswalk } from '../deid/crosswalk.ts';
import { reidentify, reidentifyEncrypted } from '../deid/reidentify.ts';
import type { DataSet } from '../dicom/data-set.ts';
import { readPart10 } from '../dicom/part10.ts';
import { CROSSWALK_SUFFIX } from '../queue/local-crosswalk.ts';
import { type Command, EXIT, type Invocation, JSON_OPTION, requiredOption, textOption, UsageError } from './command.ts';
import { fileSource } from './file-source.ts';
import { type InputFile, inputFiles } from './input-files.ts';

const SOP_INSTANCE_UID = 0x00080018;
const STUDY_INSTANCE_UID = 0x0020000d;

export const command: Command = {
  summary: 'Shows original identifiers, or gives DICOM files their original identifiers back, with the private key.',
  usage: 'RECORD... --private-key FILE | FILE... --private-key FILE [--crosswalk DIR] --out DIR',
  options: {
    'private-key': { type: 'string', value: 'FILE', help: 'PEM file with the X25519 or RSA private key.' },
    crosswalk: {
      type: 'string',
      value: 'DIR',
      help: `Folder with ${CROSSWALK_SUFFIX} records (a gateway keeps them in dataDir/crosswalk).`,
    },
    out: { type: 'string', value: 'DIR', help: 'Where re-identified files go, under their own names.' },
    json: JSON_OPTION,
  },
  details: `Without --out each RECORD is opened and its original identifiers are printed. With --out each FILE is given back the
identifiers of its record: that of its SOP Instance UID or, for a result that was made from pseudonymous images, of its study.
Without --crosswalk the originals are taken from the FILE's own Encrypted Attributes Sequence (0400,0500).
Everything this verb prints or writes identifies people.`,
  async run(invocation) {
    const { options, positionals, cwd, terminal } = invocation;
    if (positionals.length === 0) throw new UsageError('name at least one file');
    const key = readTextFile(resolve(cwd, requiredOption(options, 'private-key')), PEM_BYTES_MAX);
    const files = inputFiles(positionals, cwd);
    const out = textOption(options, 'out');
    const work =
      out === undefined
        ? (file: InputFile) => show(file, key, invocation)
        : restorer(invocation, key, resolve(cwd, out));
    let failed = 0;
    for (const file of files) {
      try {
        work(file);
      } catch (error) {
        failed++;
        const { code, message } = toLetheError(error);
        if (terminal.json) terminal.out(JSON.stringify({ input: file.name, status: 'error', code }));
        else terminal.note(`${file.name}: ${message}`);
      }
    }
    return failed === 0 ? EXIT.success : EXIT.failure;
  },
};

function show(file: InputFile, key: string, { terminal }: Invocation): void {
  const entry = openCrosswalk(readFileSync(file.path), key);
  if (terminal.json) return terminal.out(JSON.stringify({ input: file.name, ...entry }));
  terminal.out(`${file.name}`);
  terminal.out(
    `  patient ${entry.patientId} (${entry.patientName}, born ${entry.patientBirthDate}) was ${entry.pseudonyms.patientId}`,
  );
  terminal.out(`  accession number ${entry.accessionNumber} was ${entry.pseudonyms.accessionNumber}`);
  for (const [pseudonym, original] of Object.entries(entry.uids)) terminal.out(`  ${original} was ${pseudonym}`);
}

function restorer({ options, cwd, terminal }: Invocation, key: string, out: string): (file: InputFile) => void {
  const folder = textOption(options, 'crosswalk');
  const records =
    folder === undefined ? [] : inputFiles([folder], cwd).filter(({ path }) => path.endsWith(CROSSWALK_SUFFIX));
  const originals = new Originals(
    records.map(({ path }) => path),
    key,
  );
  mkdirSync(out, { recursive: true, mode: 0o700 });
  return (file) => {
    const source = fileSource(file.path);
    const path = join(out, basename(file.path));
    const fd = openSync(path, 'wx', 0o600);
    try {
      const { dataSet } = readPart10(source, { stopAtPixelData: true });
      const sink = { write: (bytes: Uint8Array) => void writeAll(fd, bytes) };
      if (folder === undefined) reidentifyEncrypted(source, sink, key);
      else reidentify(source, sink, originals.of(dataSet));
      terminal.out(terminal.json ? JSON.stringify({ input: file.name, output: path, status: 'ok' }) : path);
    } catch (error) {
      rmSync(path, { force: true }); // half an instance is none
      throw error;
    } finally {
      closeSync(fd);
      source.close();
    }
  };
}

/** The records of a crosswalk, opened as they are asked for. */
class Originals {
  readonly #pathByUid: ReadonlyMap<string, string>;
  readonly #key: string;
  #byStudy: ReadonlyMap<string, CrosswalkEntry> | undefined;

  constructor(paths: readonly string[], key: string) {
    this.#pathByUid = new Map(paths.map((path) => [basename(path, CROSSWALK_SUFFIX), path]));
    this.#key = key;
  }

  /**
   * Of the instance itself; for a result, which has a SOP Instance UID of its own, those of all instances of the study
   * that it was made from, since it may refer to any of them.
   */
  of(dataSet: DataSet): CrosswalkEntry {
    const path = this.#pathByUid.get(dataSet.string(SOP_INSTANCE_UID) ?? '');
    const entry = path === undefined ? this.#ofStudy(dataSet.string(STUDY_INSTANCE_UID) ?? '') : this.#open(path);
    if (entry === undefined)
      throw new LetheError('DEID_LOOKUP_MISSING', { problem: 'no crosswalk record of this instance or its study' });
    return entry;
  }

  #ofStudy(study: string): CrosswalkEntry | undefined {
    if (this.#byStudy === undefined) {
      const byStudy = new Map<string, CrosswalkEntry>();
      for (const path of this.#pathByUid.values()) {
        const entry = this.#open(path);
        const { studyInstanceUid } = entry.pseudonyms;
        const uids = { ...byStudy.get(studyInstanceUid)?.uids, ...entry.uids };
        byStudy.set(studyInstanceUid, { ...entry, uids });
      }
      this.#byStudy = byStudy;
    }
    return this.#byStudy.get(study);
  }

  #open(path: string): CrosswalkEntry {
    return openCrosswalk(readFileSync(path), this.#key);
  }
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
}
