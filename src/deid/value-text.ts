/** The text of an element that may be in a character set we cannot read: undefined then, never a guess. */
import { LetheError } from '../core/errors.ts';
import { asciiText, latin1Text } from '../dicom/charset.ts';
import type { DataSet, Element } from '../dicom/data-set.ts';
import { implicitVr } from '../dicom/dictionary.ts';
import { splitText } from '../dicom/values.ts';
import { VRS, type Vr } from '../dicom/vr.ts';

/** The values, decoded and without padding; undefined where the value is not here or its character set is unknown. */
export function textValues(element: Element, vr: Vr, dataSet: DataSet): readonly string[] | undefined {
  const { value } = element;
  if (value === undefined) return undefined;
  if (!VRS[vr].charset) return splitText(latin1Text(value), vr);
  const text = asciiText(value) ?? decoded(value, vr, dataSet);
  return text === undefined ? undefined : splitText(text, vr);
}

/** The bytes of the values in the data set's character set; undefined where it cannot hold them. */
export function encodedText(values: readonly string[], vr: Vr, dataSet: DataSet): Uint8Array | undefined {
  const text = values.join('\\');
  try {
    return dataSet.characterSet.encode(text, vr);
  } catch (error) {
    if (isUnknownSet(error)) return undefined;
    throw error;
  }
}

/** UN says that the writer did not know the VR; the dictionary may. */
export function meantVr(element: Element): Vr {
  return element.vr === 'UN' ? implicitVr(element.tag) : element.vr;
}

/** Whether text beyond ASCII can be read here. */
export function isReadable(dataSet: DataSet): boolean {
  try {
    return dataSet.characterSet !== undefined;
  } catch (error) {
    if (isUnknownSet(error)) return false;
    throw error;
  }
}

function decoded(value: Uint8Array, vr: Vr, dataSet: DataSet): string | undefined {
  try {
    return dataSet.characterSet.decode(value, vr);
  } catch (error) {
    if (isUnknownSet(error)) return undefined;
    throw error;
  }
}

function isUnknownSet(error: unknown): boolean {
  return error instanceof LetheError && error.code === 'DICOM_CHARSET_UNKNOWN';
}
