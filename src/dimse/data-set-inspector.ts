/**
 * Looks at a data set while it streams by, as far as its identifying UIDs, and no further: what the command said is
 * compared with what the data set says (PS3.4 §B.2.3, status A9xx) without loading pixels. Pure.
 */
import { LetheError } from '../core/errors.ts';
import type { Tag } from '../dicom/tag.ts';
import { DataSetTokenizer } from '../dicom/tokens.ts';
import type { TransferSyntax } from '../dicom/transfer-syntax.ts';

export interface DataSetFindings {
  /** False: in a transfer syntax that is not looked into. */
  readonly inspected: boolean;
  readonly sopClassUid?: string;
  readonly sopInstanceUid?: string;
  readonly studyInstanceUid?: string;
  readonly seriesInstanceUid?: string;
  /** The data set could not be read as far as the UIDs. */
  readonly error?: LetheError;
}

const NAMES = new Map<Tag, keyof Omit<DataSetFindings, 'error' | 'inspected'>>([
  [0x00080016, 'sopClassUid'],
  [0x00080018, 'sopInstanceUid'],
  [0x0020000d, 'studyInstanceUid'],
  [0x0020000e, 'seriesInstanceUid'],
]);
const LAST: Tag = 0x0020000e;

export class DataSetInspector {
  readonly #tokenizer: DataSetTokenizer | undefined;
  readonly #found: Record<string, string> = {};
  #error: LetheError | undefined;
  #finished: boolean;

  /** A deflated or unknown transfer syntax is not looked into: its findings are empty. */
  constructor(transferSyntax: TransferSyntax | undefined) {
    const readable = transferSyntax !== undefined && !transferSyntax.deflated;
    this.#tokenizer = readable
      ? new DataSetTokenizer({ explicitVr: transferSyntax.explicitVr, littleEndian: transferSyntax.littleEndian })
      : undefined;
    this.#finished = !readable;
  }

  /** The bytes are the caller's again when it returns. */
  push(bytes: Uint8Array): void {
    if (this.#finished || this.#tokenizer === undefined) return;
    this.#tokenizer.push(new Uint8Array(bytes)); // it keeps what is not a whole element yet
    this.#take(this.#tokenizer);
  }

  /** All of the data set was pushed. */
  end(): DataSetFindings {
    if (!this.#finished && this.#tokenizer !== undefined) {
      this.#tokenizer.end();
      this.#take(this.#tokenizer);
    }
    const inspected = this.#tokenizer !== undefined;
    return { inspected, ...this.#found, ...(this.#error === undefined ? {} : { error: this.#error }) };
  }

  #take(tokenizer: DataSetTokenizer): void {
    try {
      for (let token = tokenizer.next(); token !== undefined; token = tokenizer.next()) {
        if (!('tag' in token) || token.depth > 0) continue;
        if (token.tag > LAST) {
          this.#finished = true;
          return;
        }
        const name = token.kind === 'element' ? NAMES.get(token.tag) : undefined;
        if (name !== undefined && token.kind === 'element')
          this.#found[name] = Buffer.from(token.value)
            .toString('latin1')
            .replace(/^ +|[\0 ]+$/g, '');
      }
    } catch (error) {
      if (!(error instanceof LetheError)) throw error;
      this.#error = error;
      this.#finished = true;
    }
  }
}
