/** A sample instance as a list of elements, and its bytes as a Part 10 file. */
import { MemorySink } from '../core/bytes.ts';
import { LetheError } from '../core/errors.ts';
import { attributeOf, tagOfKeyword } from '../dicom/dictionary.ts';
import { writeFileMeta } from '../dicom/part10.ts';
import type { Tag } from '../dicom/tag.ts';
import { EXPLICIT_VR_LITTLE_ENDIAN } from '../dicom/transfer-syntax.ts';
import { VRS, type Vr } from '../dicom/vr.ts';
import { DataSetWriter, encodeNumbers, encodeText } from '../dicom/writer.ts';

/** Keyword -> text (several values by backslash), numbers, items of a sequence, or bytes. */
export type Value = string | readonly number[] | readonly Attributes[] | Uint8Array;
export type Attributes = Readonly<Record<string, Value>>;

/** A private element: not in the dictionary, so it says its tag and VR itself. */
export interface PrivateElement {
  readonly tag: Tag;
  readonly vr: Vr;
  readonly value: string;
}

export interface SampleInstance {
  readonly attributes: Attributes;
  readonly privateElements?: readonly PrivateElement[];
  /** Native pixel data, or one codestream a frame. */
  readonly pixelData?: Uint8Array | { readonly transferSyntaxUid: string; readonly frames: readonly Uint8Array[] };
}

const PIXEL_DATA: Tag = 0x7fe00010;

export function part10Of(instance: SampleInstance): Uint8Array {
  const { attributes, pixelData } = instance;
  const compressed = pixelData !== undefined && !(pixelData instanceof Uint8Array) ? pixelData : undefined;
  const sink = new MemorySink();
  sink.write(
    writeFileMeta({
      sopClassUid: String(attributes['SOPClassUID']),
      sopInstanceUid: String(attributes['SOPInstanceUID']),
      transferSyntaxUid: compressed?.transferSyntaxUid ?? EXPLICIT_VR_LITTLE_ENDIAN,
    }),
  );
  const writer = new DataSetWriter(sink, { explicitVr: true, littleEndian: true });
  writeAttributes(writer, attributes, instance.privateElements ?? []);
  if (pixelData instanceof Uint8Array) {
    writer.element(
      PIXEL_DATA,
      Number((attributes['BitsAllocated'] as readonly number[])[0]) > 8 ? 'OW' : 'OB',
      pixelData,
    );
  } else if (compressed !== undefined) writeFrames(writer, compressed.frames);
  return sink.bytes();
}

/** In the order of their tags, private ones among them (PS3.5 §7.1). */
function writeAttributes(
  writer: DataSetWriter,
  attributes: Attributes,
  privateElements: readonly PrivateElement[],
): void {
  const standard = Object.entries(attributes).map(([keyword, value]) => ({
    tag: tagNamed(keyword),
    write: (tag: Tag) => writeAttribute(writer, tag, value),
  }));
  const own = privateElements.map(({ tag, vr, value }) => ({
    tag,
    write: () => writer.element(tag, vr, encodeText(value, vr)),
  }));
  for (const { tag, write } of [...standard, ...own].toSorted((a, b) => a.tag - b.tag)) write(tag);
}

function writeAttribute(writer: DataSetWriter, tag: Tag, value: Value): void {
  const vr = attributeOf(tag)?.vrs[0] ?? 'UN';
  if (vr === 'SQ') {
    writer.beginSequence(tag);
    for (const item of value as readonly Attributes[]) {
      writer.beginItem();
      writeAttributes(writer, item, []);
      writer.endItem();
    }
    writer.endSequence();
  } else if (value instanceof Uint8Array) writer.element(tag, vr, value);
  else if (typeof value === 'string') writer.element(tag, vr, encodeText(value, vr));
  else
    writer.element(
      tag,
      vr,
      VRS[vr].text ? encodeText(value.map(String), vr) : encodeNumbers(value as readonly number[], vr),
    );
}

function writeFrames(writer: DataSetWriter, frames: readonly Uint8Array[]): void {
  writer.beginFragments(PIXEL_DATA, 'OB');
  writer.fragment(0); // an empty Basic Offset Table (PS3.5 §A.4)
  for (const frame of frames) {
    writer.fragment(frame.length);
    writer.bulkData(frame);
    writer.endBulk();
  }
  writer.endFragments();
}

function tagNamed(keyword: string): Tag {
  const tag = tagOfKeyword(keyword);
  if (tag === undefined) throw new LetheError('INVARIANT', { what: 'keyword', keyword });
  return tag;
}
