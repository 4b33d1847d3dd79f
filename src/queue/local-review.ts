/**
 * What people decided about pixels, on a local disk: one file an instance with the boxes to blank, and one list of rules for
 * equipment whose images all show text in the same places. Written under a temporary name, flushed, renamed. Boxes are
 * numbers; a rule names a device, never a person.
 */
import { closeSync, existsSync, fdatasyncSync, openSync, readFileSync, renameSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { LetheError } from '../core/errors.ts';
import { type InstanceId, isInstanceId } from '../core/identifier.ts';
import { flushFolder } from '../core/private-file.ts';
import { diskError, FILE_MODE, makeFolder } from './disk.ts';

/** In pixels of the stored image; the left top one is 0, 0. */
export interface ReviewedBox {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Applies to images of just this size from just this model. */
export interface EquipmentRule {
  readonly manufacturer: string;
  readonly model: string;
  readonly rows: number;
  readonly columns: number;
  readonly boxes: readonly ReviewedBox[];
}

const FOLDER = 'review';
const RULES_FILE = 'equipment-rules.json';

export class LocalReviews {
  readonly #folder: string;
  #rules: readonly EquipmentRule[] = [];
  #rulesAtMs = -1;

  constructor(dataDir: string) {
    this.#folder = join(dataDir, FOLDER);
  }

  /** @throws SPOOL_IO, SPOOL_FULL */
  decide(id: InstanceId, boxes: readonly ReviewedBox[]): void {
    this.#write(this.#fileOf(id), boxes);
  }

  /** What was decided about the instance; undefined where nobody has. */
  decisionOf(id: InstanceId): readonly ReviewedBox[] | undefined {
    return this.#read<readonly ReviewedBox[]>(this.#fileOf(id));
  }

  /** In the order they were made. Read anew when the file has changed: the command line may have written it. */
  rules(): readonly EquipmentRule[] {
    const path = join(this.#folder, RULES_FILE);
    const changedAtMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? -1;
    if (changedAtMs !== this.#rulesAtMs) {
      this.#rules = this.#read<readonly EquipmentRule[]>(RULES_FILE) ?? [];
      this.#rulesAtMs = changedAtMs;
    }
    return this.#rules;
  }

  /** In place of an earlier one for the same equipment and size. @throws SPOOL_IO, SPOOL_FULL */
  addRule(rule: EquipmentRule): void {
    const others = this.rules().filter((other) => keyOf(other) !== keyOf(rule));
    this.#write(RULES_FILE, [...others, rule]);
  }

  #fileOf(id: InstanceId): string {
    if (!isInstanceId(id)) throw new LetheError('INVARIANT', { what: 'review of no instance' });
    return `${id}.json`;
  }

  #read<Value>(name: string): Value | undefined {
    const path = join(this.#folder, name);
    try {
      return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Value) : undefined;
    } catch (error) {
      throw diskError(error, 'review');
    }
  }

  #write(name: string, value: unknown): void {
    const path = join(this.#folder, name);
    const bytes = Buffer.from(JSON.stringify(value));
    try {
      if (!existsSync(this.#folder)) makeFolder(this.#folder);
      const fd = openSync(`${path}.part`, 'w', FILE_MODE);
      try {
        for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
        fdatasyncSync(fd);
      } finally {
        closeSync(fd);
      }
      renameSync(`${path}.part`, path);
      flushFolder(this.#folder);
    } catch (error) {
      throw diskError(error, 'review');
    }
  }
}

function keyOf({ manufacturer, model, rows, columns }: EquipmentRule): string {
  return JSON.stringify([manufacturer, model, rows, columns]);
}
