/** Values that are larger than what a data set keeps in memory: look-up tables, offset tables, ICC profiles. */
import type { ByteSource } from '../core/bytes.ts';
import { type DataSet, valueBytes } from '../dicom/data-set.ts';
import type { Tag } from '../dicom/tag.ts';

/** A table of 65536 entries of 16 bits has 128 KiB, an ICC profile a few MiB, an offset table 8 bytes a frame. */
const VALUE_BYTES_MAX = 16 * 1024 * 1024;

/**
 * The bytes of a value wherever they are; undefined where absent or empty.
 * @throws DICOM_TOO_LARGE, DICOM_TRUNCATED
 */
export function wholeValue(source: ByteSource, dataSet: DataSet, tag: Tag): Uint8Array | undefined {
  const element = dataSet.element(tag);
  if (element === undefined || element.length === 0 || element.items !== undefined) return undefined;
  // A source may answer views of a buffer that it reads into again, and slices of a Buffer are views as well.
  return new Uint8Array(valueBytes(source, element, VALUE_BYTES_MAX));
}
