/** A small Secondary Capture image as a Part 10 file, for peers that look inside. Its identifiers are invented. */
import { MemorySink } from '../../src/core/bytes.ts';
import { writeFileMeta } from '../../src/dicom/part10.ts';
import { DataSetWriter, encodeNumbers, encodeText } from '../../src/dicom/writer.ts';

export const SECONDARY_CAPTURE = '1.2.840.10008.5.1.4.1.1.7';
export const EXPLICIT_LITTLE_ENDIAN = '1.2.840.10008.1.2.1';

/** `bytes` of pixel data in one row; even, at most 65,534. */
export function dicomFile(sopInstanceUid: string, bytes = 4): Buffer {
  const sink = new MemorySink();
  const uids = { sopClassUid: SECONDARY_CAPTURE, sopInstanceUid, transferSyntaxUid: EXPLICIT_LITTLE_ENDIAN };
  sink.write(writeFileMeta(uids));
  const writer = new DataSetWriter(sink, { explicitVr: true, littleEndian: true });
  const numbers = (tag: number, value: number) => writer.element(tag, 'US', encodeNumbers([value], 'US'));
  writer.element(0x00080016, 'UI', encodeText(SECONDARY_CAPTURE, 'UI'));
  writer.element(0x00080018, 'UI', encodeText(sopInstanceUid, 'UI'));
  writer.element(0x00080050, 'SH', encodeText('A7F3', 'SH'));
  writer.element(0x00080060, 'CS', encodeText('OT', 'CS'));
  writer.element(0x00100010, 'PN', encodeText('Nobody', 'PN'));
  writer.element(0x00100020, 'LO', encodeText('P19C', 'LO'));
  writer.element(0x0020000d, 'UI', encodeText('1.2.3', 'UI'));
  writer.element(0x0020000e, 'UI', encodeText('1.2.3.4', 'UI'));
  numbers(0x00280002, 1);
  writer.element(0x00280004, 'CS', encodeText('MONOCHROME2', 'CS'));
  numbers(0x00280010, 1);
  numbers(0x00280011, bytes);
  numbers(0x00280100, 8);
  numbers(0x00280101, 8);
  numbers(0x00280102, 7);
  numbers(0x00280103, 0);
  writer.element(0x7fe00010, 'OB', new Uint8Array(bytes).fill(0x55));
  return Buffer.from(sink.bytes());
}
