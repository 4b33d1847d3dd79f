/**
 * DICOM objects that the reference backend took over STOW-RS, on disk as `dicom/<SOP Instance UID>.dcm`, each renamed
 * into place whole. The same bytes again change nothing, other bytes under the same UID are refused.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ReceivedObject, readObject } from './stow.ts';

export interface StoredObject {
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  readonly transferSyntaxUid: string;
  readonly bytes: number;
  readonly sha256: string;
}

const FOLDER = 'dicom';
const TEMPORARY = '.incoming-';

export class ObjectStore {
  readonly #dir: string;
  readonly #objects = new Map<string, StoredObject>();
  #last: Promise<unknown> = Promise.resolve();

  private constructor(dir: string) {
    this.#dir = dir;
  }

  /** Opens a folder and reads what an earlier run left there. */
  static async open(dir: string): Promise<ObjectStore> {
    const store = new ObjectStore(join(dir, FOLDER));
    await mkdir(store.#dir, { recursive: true });
    for (const name of await readdir(store.#dir)) {
      if (name.startsWith(TEMPORARY)) await rm(join(store.#dir, name), { force: true });
      if (!name.endsWith('.dcm')) continue;
      const object = readObject(await readFile(join(store.#dir, name)));
      if (object !== undefined) store.#objects.set(object.sopInstanceUid, factsOf(object));
    }
    return store;
  }

  /** False when other bytes are stored under the same UID. One after the other. */
  accept(object: ReceivedObject): Promise<boolean> {
    const turn = this.#last.then(() => this.#accept(object));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  objects(): Iterable<StoredObject> {
    return this.#objects.values();
  }

  /** Undefined when there is none. */
  async read(sopInstanceUid: string): Promise<Buffer | undefined> {
    return this.#objects.has(sopInstanceUid) ? readFile(this.#path(sopInstanceUid)) : undefined;
  }

  async #accept(object: ReceivedObject): Promise<boolean> {
    const facts = factsOf(object);
    const held = this.#objects.get(object.sopInstanceUid);
    if (held !== undefined) return held.sha256 === facts.sha256;
    const incoming = join(this.#dir, TEMPORARY + randomUUID());
    await writeFile(incoming, object.bytes);
    await rename(incoming, this.#path(object.sopInstanceUid));
    this.#objects.set(object.sopInstanceUid, facts);
    return true;
  }

  /** `readObject` lets only UIDs through: digits and dots. */
  #path(sopInstanceUid: string): string {
    return join(this.#dir, `${sopInstanceUid}.dcm`);
  }
}

function factsOf({ sopClassUid, sopInstanceUid, transferSyntaxUid, bytes }: ReceivedObject): StoredObject {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { sopClassUid, sopInstanceUid, transferSyntaxUid, bytes: bytes.length, sha256 };
}
