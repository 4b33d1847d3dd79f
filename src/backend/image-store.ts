/**
 * What the reference backend has accepted, on disk as `<study>/<series>/<image>.{jpg|png}` with `<image>.json` beside
 * it. A file is renamed into place whole and its metadata last, so that what is listed is there. An image is known by
 * its `imageInstanceUid` over all studies: the same bytes again change nothing, other bytes are a conflict.
 *
 * It does not flush to disk: it is for demonstrations and tests, and a power cut may cost it what it accepted.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ImageFile } from './image-file.ts';
import type { ImageDescription, Upload, UploadedImage, UploadedStudy } from './validate.ts';

/** One accepted image, as its metadata file says. */
export interface StoredImage {
  readonly study: UploadedStudy;
  readonly seriesInstanceUid: string;
  readonly image: ImageDescription;
  readonly file: {
    readonly path: string;
    readonly mediaType: ImageFile['mediaType'];
    readonly bytes: number;
    readonly sha256: string;
  };
  readonly receivedAt: string;
}

export interface Conflict {
  readonly imageInstanceUid: string;
  /** Of the image that is stored. */
  readonly sha256: string;
}

export type StoreResult =
  | { readonly stored: number; readonly repeated: number }
  | { readonly conflicts: readonly Conflict[] };

const INCOMING = '.incoming';
/** File systems allow 255 bytes; the longest extension and room to spare are taken off. */
const NAME_BYTES_MAX = 200;

export class ImageStore {
  readonly #dir: string;
  readonly #images: Map<string, StoredImage>;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(dir: string, images: Map<string, StoredImage>) {
    this.#dir = dir;
    this.#images = images;
  }

  /** Opens a folder and reads what an earlier run left there. */
  static async open(dir: string): Promise<ImageStore> {
    await rm(join(dir, INCOMING), { recursive: true, force: true });
    await mkdir(join(dir, INCOMING), { recursive: true });
    const images = new Map<string, StoredImage>();
    for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !entry.name.endsWith('.json')) continue;
      const stored = storedImageOf(await readFile(join(entry.parentPath, entry.name), 'utf8'));
      if (stored !== undefined) images.set(String(stored.image['imageInstanceUid']), stored);
    }
    return new ImageStore(dir, images);
  }

  /** Accepts a whole upload or nothing of it. Uploads are taken one after the other. */
  accept(upload: Upload, receivedAt: Date): Promise<StoreResult> {
    const turn = this.#last.then(() => this.#accept(upload, receivedAt));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** In the order in which they came. */
  images(): Iterable<StoredImage> {
    return this.#images.values();
  }

  image(imageInstanceUid: string): StoredImage | undefined {
    return this.#images.get(imageInstanceUid);
  }

  read(image: StoredImage): Promise<Buffer> {
    return readFile(join(this.#dir, image.file.path));
  }

  async #accept(upload: Upload, receivedAt: Date): Promise<StoreResult> {
    const fresh: { image: UploadedImage; sha256: string }[] = [];
    const conflicts: Conflict[] = [];
    for (const image of upload.images) {
      const sha256 = createHash('sha256').update(image.bytes).digest('hex');
      const held = this.#images.get(image.imageInstanceUid);
      if (held === undefined) fresh.push({ image, sha256 });
      else if (held.file.sha256 !== sha256)
        conflicts.push({ imageInstanceUid: image.imageInstanceUid, sha256: held.file.sha256 });
    }
    if (conflicts.length > 0) return { conflicts };
    for (const { image, sha256 } of fresh) await this.#store(upload, image, sha256, receivedAt);
    return { stored: fresh.length, repeated: upload.images.length - fresh.length };
  }

  async #store(upload: Upload, image: UploadedImage, sha256: string, receivedAt: Date): Promise<void> {
    const folder = join(safeName(upload.study.studyInstanceUid), safeName(upload.seriesInstanceUid));
    const name = safeName(image.imageInstanceUid);
    const path = join(folder, `${name}.${image.file.extension}`);
    const stored: StoredImage = {
      study: upload.study,
      seriesInstanceUid: upload.seriesInstanceUid,
      image: image.description,
      file: { path, mediaType: image.file.mediaType, bytes: image.bytes.length, sha256 },
      receivedAt: receivedAt.toISOString(),
    };
    await mkdir(join(this.#dir, folder), { recursive: true });
    await this.#place(path, image.bytes);
    await this.#place(join(folder, `${name}.json`), Buffer.from(`${JSON.stringify(stored, undefined, 2)}\n`, 'utf8'));
    this.#images.set(image.imageInstanceUid, stored);
  }

  async #place(path: string, bytes: Buffer): Promise<void> {
    const incoming = join(this.#dir, INCOMING, randomUUID());
    await writeFile(incoming, bytes);
    await rename(incoming, join(this.#dir, path));
  }
}

/**
 * A file name for any text: UIDs stay as they are, other characters are percent-encoded, so that no name can leave its
 * folder or hide in it and two texts never share one; a very long text becomes its digest.
 */
export function safeName(text: string): string {
  const name = Buffer.from(text, 'utf8')
    .reduce((encoded, byte) => encoded + safeCharacter(byte), '')
    .replace(/^\./, '%2E');
  return name.length <= NAME_BYTES_MAX ? name : `%${createHash('sha256').update(text).digest('hex')}`;
}

function safeCharacter(byte: number): string {
  const character = String.fromCharCode(byte);
  return /[0-9A-Za-z._-]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}

/** Undefined for a file that is not ours. */
function storedImageOf(text: string): StoredImage | undefined {
  try {
    const value: StoredImage = JSON.parse(text);
    return typeof value.image['imageInstanceUid'] === 'string' && typeof value.file.path === 'string'
      ? value
      : undefined;
  } catch {
    // Somebody else's file in our folder, or one cut short by a crash: not an image we promised.
    return undefined;
  }
}
