/**
 * The body of one upload as a stream of known length: JSON around base64 (RFC 4648 §4) that is made slice by slice
 * from the image files while the socket takes it. Memory stays at one slice whatever the size of the batch.
 */
import { createHash } from 'node:crypto';
import type { ByteSource } from '../../core/bytes.ts';
import { LetheError } from '../../core/errors.ts';
import type { DeliverableInstance } from '../destination.ts';
import { payloadOf, type UploadPart, type UploadPlan } from './payload.ts';

/** Bytes of image per slice: a multiple of 3, so that slices concatenate to one base64 text; 512 KiB of it. */
const SLICE_BYTES = 384 * 1024;
/** Bytes shown to the contract's check in place of the whole file; a multiple of 3. */
const HEAD_BYTES = 48;

export interface UploadBody {
  /** Exactly what `chunks` yields. */
  readonly length: number;
  chunks(): Generator<Uint8Array>;
}

export function base64Length(bytes: number): number {
  return 4 * Math.ceil(bytes / 3);
}

export function uploadBody(plan: UploadPlan, batch: readonly DeliverableInstance[]): UploadBody {
  const pieces = skeleton(plan);
  const text = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const data = plan.parts.reduce((sum, part) => sum + base64Length(part.image.bytes), 0);
  return { length: text + data, chunks: () => chunks(pieces, plan.parts, batch) };
}

/** The first characters of an image's base64 text, for the contract's check. @throws SPOOL_IO, SPOOL_CORRUPT */
export function dataHead(part: UploadPart, batch: readonly DeliverableInstance[]): string {
  return withImage(part, batch, (source) => base64(source.read(0, Math.min(HEAD_BYTES, part.image.bytes))));
}

/** Lower-case hexadecimal SHA-256 of an image file. @throws SPOOL_IO, SPOOL_CORRUPT */
export function imageDigest(part: UploadPart, batch: readonly DeliverableInstance[]): string {
  return withImage(part, batch, (source) => {
    const hash = createHash('sha256');
    for (let position = 0; position < source.size; position += SLICE_BYTES) {
      hash.update(source.read(position, SLICE_BYTES));
    }
    return hash.digest('hex');
  });
}

/** The JSON text cut where each image's data belongs: one piece more than there are images. */
function skeleton(plan: UploadPlan): Buffer[] {
  const { study, series, images } = payloadOf(plan, () => '');
  let text = `{"study":${JSON.stringify(study)},"series":${JSON.stringify(series)},"images":[`;
  const pieces: string[] = [];
  for (const { data: _data, ...image } of images) {
    pieces.push(`${text}${JSON.stringify(image).slice(0, -1)},"data":"`);
    text = '"},';
  }
  pieces.push('"}]}');
  return pieces.map((piece) => Buffer.from(piece, 'utf8'));
}

function* chunks(pieces: readonly Buffer[], parts: readonly UploadPart[], batch: readonly DeliverableInstance[]) {
  for (const [index, piece] of pieces.entries()) {
    yield piece;
    const part = parts[index];
    if (part !== undefined) yield* encoded(part, batch);
  }
}

function* encoded(part: UploadPart, batch: readonly DeliverableInstance[]): Generator<Uint8Array> {
  const source = openImage(part, batch);
  try {
    for (let position = 0; position < part.image.bytes; position += SLICE_BYTES) {
      const slice = source.read(position, Math.min(SLICE_BYTES, part.image.bytes - position));
      yield Buffer.from(base64(slice), 'latin1');
    }
  } finally {
    source.close();
  }
}

function withImage<Result>(
  part: UploadPart,
  batch: readonly DeliverableInstance[],
  use: (source: ByteSource) => Result,
): Result {
  const source = openImage(part, batch);
  try {
    return use(source);
  } finally {
    source.close();
  }
}

/** A file of another length than its manifest says would break the announced length of the body. */
function openImage(part: UploadPart, batch: readonly DeliverableInstance[]): ByteSource & { close(): void } {
  const instance = batch[part.member];
  if (instance === undefined) throw new LetheError('INVARIANT', { what: 'an upload part without its instance' });
  const source = instance.open(part.image.file);
  if (source.size === part.image.bytes) return source;
  source.close();
  throw new LetheError('SPOOL_CORRUPT', { expected: part.image.bytes, found: source.size });
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}
