/**
 * Which instance a Part 10 stream holds, from as few of its first bytes as tell: the spool wants a record before the
 * first byte is kept, but the UIDs are inside. The head is buffered (it has to be written anyway), parsed at doubling
 * sizes, so that the cost stays linear, and refused when it has not told by the bound.
 */
import { bytesSource } from '../core/bytes.ts';
import { LetheError } from '../core/errors.ts';
import { type OpenPart10, openPart10, readFileMeta } from '../dicom/part10.ts';
import type { Tag } from '../dicom/tag.ts';
import { DataSetTokenizer } from '../dicom/tokens.ts';

export interface InstanceHead {
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  readonly studyInstanceUid: string | undefined;
  readonly transferSyntaxUid: string;
  /** Where the data set begins: what is before is preamble and file meta information. */
  readonly dataSetOffset: number;
}

const UID_CHARACTERS_MAX = 64; // PS3.5 §9.1
const FIRST_ATTEMPT_BYTES = 8 * 1024;
/** Identifying elements stand at the front; only a deflated data set needs to be whole before it can be read. */
const HEAD_BYTES_MAX = 256 * 1024 * 1024;

const SOP_CLASS_UID = 0x00080016;
const SOP_INSTANCE_UID = 0x00080018;
const STUDY_INSTANCE_UID = 0x0020000d;
const WANTED: ReadonlySet<Tag> = new Set([SOP_CLASS_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID]);
const MEDIA_STORAGE_SOP_CLASS_UID = 0x00020002;
const MEDIA_STORAGE_SOP_INSTANCE_UID = 0x00020003;

export class HeadReader {
  readonly #chunks: Uint8Array[] = [];
  #length = 0;
  #nextAttempt = FIRST_ATTEMPT_BYTES;

  /** Undefined: more bytes are needed. @throws HTTP_NOT_DICOM and the errors of `readPart10` */
  push(bytes: Uint8Array): InstanceHead | undefined {
    this.#chunks.push(bytes);
    this.#length += bytes.length;
    if (this.#length > HEAD_BYTES_MAX) throw new LetheError('DICOM_TOO_LARGE', { limit: HEAD_BYTES_MAX });
    if (this.#length < this.#nextAttempt) return undefined;
    this.#nextAttempt = this.#length * 2;
    return this.#attempt(false);
  }

  /** No more bytes will come. @throws as `push`, DICOM_TRUNCATED among them */
  end(): InstanceHead {
    const head = this.#attempt(true);
    if (head === undefined) throw new LetheError('DICOM_TRUNCATED', { offset: this.#length });
    return head;
  }

  /** All bytes so far, joined. */
  bytes(): Uint8Array {
    return Buffer.concat(this.#chunks);
  }

  #attempt(complete: boolean): InstanceHead | undefined {
    try {
      return parseHead(this.bytes(), complete);
    } catch (error) {
      if (!(error instanceof LetheError)) throw error;
      if (!complete && error.code === 'DICOM_TRUNCATED') return undefined;
      if (error.code === 'DICOM_NOT_PART10') throw new LetheError('HTTP_NOT_DICOM', {}, { cause: error });
      throw error;
    }
  }
}

function parseHead(bytes: Uint8Array, complete: boolean): InstanceHead | undefined {
  const source = bytesSource(bytes);
  const { fileMeta, transferSyntaxUid, dataSetOffset } = readFileMeta(source);
  const found = identifyingUids(openPart10(source), complete);
  if (found === undefined) return undefined;
  const sopInstanceUid = found.get(SOP_INSTANCE_UID) ?? fileMeta.string(MEDIA_STORAGE_SOP_INSTANCE_UID);
  const sopClassUid = found.get(SOP_CLASS_UID) ?? fileMeta.string(MEDIA_STORAGE_SOP_CLASS_UID);
  if (sopInstanceUid === undefined || sopClassUid === undefined) {
    throw new LetheError('HTTP_NOT_DICOM', { problem: 'no SOP Class UID or no SOP Instance UID' });
  }
  // Tolerance: components with leading zeros and the like are common in archives. The UID is a key here, never a path,
  // and pseudonyms replace it; only what no UID can be long is refused.
  if (sopInstanceUid.length > UID_CHARACTERS_MAX) throw new LetheError('DIMSE_INVALID_UID');
  return {
    sopClassUid,
    sopInstanceUid,
    studyInstanceUid: found.get(STUDY_INSTANCE_UID),
    transferSyntaxUid,
    dataSetOffset,
  };
}

/** The three UIDs as far as the top level has them; undefined when the bytes end before the last could have come. */
function identifyingUids(open: OpenPart10, complete: boolean): Map<Tag, string> | undefined {
  const found = new Map<Tag, string>();
  const tokenizer = new DataSetTokenizer({ ...open.encoding, offset: open.dataSetOffset });
  tokenizer.push(open.source.read(open.dataSetOffset, open.source.size - open.dataSetOffset));
  if (complete) tokenizer.end();
  for (let token = tokenizer.next(); token !== undefined; token = tokenizer.next()) {
    if (!('tag' in token) || !('depth' in token) || token.depth > 0) continue;
    if (token.tag > STUDY_INSTANCE_UID) return found;
    if (token.kind === 'element' && WANTED.has(token.tag)) found.set(token.tag, uidText(token.value));
  }
  return complete || found.size === WANTED.size ? found : undefined;
}

/** UIDs are padded with one NUL (PS3.5 §9.1). Tolerance: spaces. */
function uidText(value: Uint8Array): string {
  return Buffer.from(value)
    .toString('latin1')
    .replace(/[\0 ]+$/, '');
}
