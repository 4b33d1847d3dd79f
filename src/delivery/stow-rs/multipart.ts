/**
 * The body of a STOW-RS request: multipart/related with one application/dicom part an instance (PS3.18 §8.6.1, §10.5.1;
 * RFC 2387). A stream of known length; memory stays at one slice whatever the size of the instances.
 */
import { LetheError } from '../../core/errors.ts';
import { type DeliverableInstance, dicomFileOf } from '../destination.ts';
import type { HttpBody } from '../http-client.ts';

const SLICE_BYTES = 512 * 1024;

export interface MultipartBody extends HttpBody {
  readonly length: number;
  readonly contentType: string;
}

/** `boundary`: 1 to 70 characters of RFC 2046 §5.1.1 that do not occur in any part. */
export function multipartOf(instances: readonly DeliverableInstance[], boundary: string): MultipartBody {
  const parts = instances.map((instance, index) => ({
    instance,
    head: Buffer.from(`${index === 0 ? '' : '\r\n'}--${boundary}\r\n${PART_HEADERS}\r\n`, 'latin1'),
    bytes: sizeOf(instance),
  }));
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`, 'latin1');
  const length = parts.reduce((sum, part) => sum + part.head.length + part.bytes, tail.length);
  return {
    length,
    contentType: `multipart/related; type="application/dicom"; boundary=${boundary}`,
    *chunks() {
      for (const { instance, head, bytes } of parts) {
        yield head;
        yield* contentOf(instance, bytes);
      }
      yield tail;
    },
  };
}

/**
 * Without the transfer-syntax parameter that PS3.18 §8.7.3.5.2 allows; the file says it itself.
 * Tolerance: Orthanc's plugin 1.7 passes over parts whose media type has a parameter, stores nothing and answers 200.
 */
const PART_HEADERS = 'Content-Type: application/dicom\r\n';

function sizeOf(instance: DeliverableInstance): number {
  const source = instance.open(dicomFileOf(instance.manifest));
  try {
    return source.size;
  } finally {
    source.close();
  }
}

function* contentOf(instance: DeliverableInstance, bytes: number): Generator<Uint8Array> {
  const source = instance.open(dicomFileOf(instance.manifest));
  try {
    if (source.size !== bytes) throw new LetheError('SPOOL_CORRUPT', { expected: bytes, found: source.size });
    // A copy, because the source may reuse its buffer before the socket is done with it.
    for (let position = 0; position < bytes; position += SLICE_BYTES) yield source.read(position, SLICE_BYTES).slice();
  } finally {
    source.close();
  }
}
