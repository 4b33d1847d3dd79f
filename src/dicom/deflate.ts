/**
 * Deflated Explicit VR Little Endian, PS3.5 A.5: the data set is one RFC 1951 stream without zlib header.
 *
 * Inflating is bounded by what the caller allows in memory. Deflating is a sink that holds one block at a time: each
 * block ends at a byte boundary (an empty stored block), so blocks made one by one form one valid stream.
 */
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import type { ByteSink, ByteSource } from '../core/bytes.ts';
import { LetheError } from '../core/errors.ts';

export const INFLATED_BYTES_MAX = 256 * 1024 * 1024;

/** Deflate finds repetitions within 32 KiB; blocks much larger than that lose nothing by being separate. */
const BLOCK_BYTES = 512 * 1024;

/**
 * The data set that is deflated in the source from `offset` on. Tolerance: bytes after the stream (PS3.5 A.5 pads it
 * to even length, some senders to more) are ignored.
 * @throws DICOM_TOO_LARGE DICOM_TRUNCATED DICOM_MALFORMED
 */
export function inflateDataSet(source: ByteSource, offset: number, inflatedBytesMax = INFLATED_BYTES_MAX): Uint8Array {
  const length = Math.max(0, source.size - offset);
  if (length > inflatedBytesMax) throw new LetheError('DICOM_TOO_LARGE', { length, limit: inflatedBytesMax });
  const deflated = source.read(offset, length);
  try {
    return inflateRawSync(deflated, { maxOutputLength: Math.max(1, inflatedBytesMax) });
  } catch (error) {
    throw inflateError(error, offset, inflatedBytesMax);
  }
}

function inflateError(error: unknown, offset: number, limit: number): LetheError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ERR_BUFFER_TOO_LARGE') return new LetheError('DICOM_TOO_LARGE', { limit }, { cause: error });
  if (code === 'Z_BUF_ERROR') return new LetheError('DICOM_TRUNCATED', { offset }, { cause: error });
  return new LetheError('DICOM_MALFORMED', { offset, what: 'deflated data set' }, { cause: error });
}

/** Deflates what is written to it into another sink; `end()` finishes the stream and pads it to even length. */
export class DeflateSink implements ByteSink {
  readonly #sink: ByteSink;
  readonly #block = new Uint8Array(BLOCK_BYTES);
  #used = 0;
  #written = 0;

  constructor(sink: ByteSink) {
    this.#sink = sink;
  }

  write(bytes: Uint8Array): void {
    for (let position = 0; position < bytes.length; ) {
      const part = bytes.subarray(position, position + BLOCK_BYTES - this.#used);
      this.#block.set(part, this.#used);
      this.#used += part.length;
      position += part.length;
      if (this.#used === BLOCK_BYTES) this.#flush(constants.Z_SYNC_FLUSH);
    }
  }

  end(): void {
    this.#flush(constants.Z_FINISH);
    if (this.#written % 2 === 1) this.#sink.write(Uint8Array.of(0));
  }

  #flush(finishFlush: number): void {
    const deflated = deflateRawSync(this.#block.subarray(0, this.#used), { finishFlush });
    this.#used = 0;
    this.#written += deflated.length;
    this.#sink.write(deflated);
  }
}
