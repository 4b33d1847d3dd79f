/**
 * Re-identification (PS3.15 §E.1.2): an instance with pseudonyms, such as a result that comes back, gets the originals
 * of a crosswalk entry, or those that it carries encrypted, again: patient, accession number, study ID, UIDs wherever they stand, and dates moved back. What
 * de-identification removed stays removed. (0012,0062) says NO afterwards.
 */
import { createHash } from 'node:crypto';
import type { ByteSink, ByteSource } from '../core/bytes.ts';
import { LetheError } from '../core/errors.ts';
import { latin1Text } from '../dicom/charset.ts';
import type { DataSet, Element } from '../dicom/data-set.ts';
import { DeflateSink } from '../dicom/deflate.ts';
import { type OpenPart10, openPart10, writeFileMeta } from '../dicom/part10.ts';
import type { Tag } from '../dicom/tag.ts';
import { splitText } from '../dicom/values.ts';
import type { Vr } from '../dicom/vr.ts';
import { DataSetWriter, encodeText } from '../dicom/writer.ts';
import type { CrosswalkEntry } from './crosswalk.ts';
import { shiftDate, shiftDateTime } from './dates.ts';
import { type Place, type Policy, sequenceItems, type Verdict } from './element-policy.ts';
import { ENCRYPTED_ATTRIBUTES_SEQUENCE, openEncryptedAttributes } from './encrypted-attributes.ts';
import type { Addition } from './markers.ts';
import { readHeader } from './read-header.ts';
import { inOrder, type Original, Rewriter } from './rewriter.ts';
import { encodedText, meantVr, textValues } from './value-text.ts';

const SOP_CLASS_UID = 0x00080016;
const SOP_INSTANCE_UID = 0x00080018;
const PATIENT_ID = 0x00100020;
const PATIENT_IDENTITY_REMOVED = 0x00120062;
/** They describe a de-identification that is undone. */
const UNDONE: readonly Tag[] = [0x00120063, 0x00120064, 0x00280303, ENCRYPTED_ATTRIBUTES_SEQUENCE];

/** @returns the SHA-256 of the output, hexadecimal. @throws DEID_LOOKUP_MISSING where the entry is of another patient */
export function reidentify(source: ByteSource, sink: ByteSink, entry: CrosswalkEntry): string {
  const open = openPart10(source);
  const { dataSet } = readHeader(open);
  if (dataSet.string(PATIENT_ID) !== entry.pseudonyms.patientId) {
    throw new LetheError('DEID_LOOKUP_MISSING', { problem: 'the crosswalk entry is of another patient' });
  }
  const restored = new RestoringPolicy(entry, dataSet);
  const uid = dataSet.string(SOP_INSTANCE_UID) ?? '';
  return write(open, sink, { dataSet, policy: restored, sopInstanceUid: entry.uids[uid] ?? uid, originals: undefined });
}

/**
 * The same with what the instance itself carries, encrypted to this key (PS3.15 §E.1.2): every original that the header
 * had comes back, removed elements too.
 * @throws DEID_LOOKUP_MISSING where it carries nothing, DEID_KEY_INVALID where it was encrypted to another key
 */
export function reidentifyEncrypted(source: ByteSource, sink: ByteSink, privateKeyPem: string): string {
  const open = openPart10(source);
  const { dataSet } = readHeader(open);
  const originals = openEncryptedAttributes(dataSet, privateKeyPem);
  const sopInstanceUid = originals.string(SOP_INSTANCE_UID) ?? dataSet.string(SOP_INSTANCE_UID) ?? '';
  return write(open, sink, { dataSet, policy: new RestoringPolicy(undefined, dataSet), sopInstanceUid, originals });
}

function write(
  open: OpenPart10,
  sink: ByteSink,
  what: { dataSet: DataSet; policy: Policy; sopInstanceUid: string; originals: DataSet | undefined },
): string {
  const { dataSet, policy, sopInstanceUid, originals } = what;
  const hash = createHash('sha256');
  const output: ByteSink = {
    write(bytes) {
      hash.update(bytes);
      sink.write(bytes);
    },
  };
  const { transferSyntax } = open;
  output.write(
    writeFileMeta({
      sopClassUid: dataSet.string(SOP_CLASS_UID) ?? '',
      sopInstanceUid,
      transferSyntaxUid: transferSyntax.uid,
    }),
  );
  const deflate = transferSyntax.deflated ? new DeflateSink(output) : undefined;
  const additions = new Map<Tag, Addition | Original>();
  for (const element of originals?.elements() ?? [])
    additions.set(element.tag, { kind: 'original', element, dataSet: originals ?? dataSet });
  additions.set(PATIENT_IDENTITY_REMOVED, { kind: 'value', vr: 'CS', value: encodeText('NO', 'CS') });
  const rewriter = new Rewriter({
    policy,
    writer: new DataSetWriter(deflate ?? output, transferSyntax),
    littleEndian: transferSyntax.littleEndian,
    source: open.source,
    additions,
    replacements: new Map(),
    pixelBytes: undefined,
  });
  rewriter.writeRoot(dataSet, inOrder(dataSet));
  deflate?.end();
  return hash.digest('hex');
}

class RestoringPolicy implements Policy {
  readonly #entry: CrosswalkEntry | undefined;
  readonly #root: DataSet;
  readonly #originals: ReadonlyMap<Tag, string>;

  constructor(entry: CrosswalkEntry | undefined, root: DataSet) {
    this.#entry = entry;
    this.#root = root;
    this.#originals = new Map();
    if (entry === undefined) return;
    this.#originals = new Map([
      [0x00080050, entry.accessionNumber],
      [0x00100010, entry.patientName],
      [PATIENT_ID, entry.patientId],
      [0x00100021, entry.issuerOfPatientId],
      [0x00100030, entry.patientBirthDate],
      [0x00200010, entry.studyId],
    ]);
  }

  itemPlace(_tag: Tag, _item: DataSet, place: Place): Place {
    return place;
  }

  verdict(element: Element, dataSet: DataSet, place: Place): Verdict {
    const items = sequenceItems(element);
    const isRoot = dataSet === this.#root;
    if (isRoot && UNDONE.includes(element.tag)) return { kind: 'remove', action: 'X', because: 'rule' };
    if (items !== undefined) return { kind: 'items', action: 'K', because: 'rule', items, place };
    const vr = meantVr(element);
    const original = isRoot ? this.#originals.get(element.tag) : undefined;
    const value =
      original !== undefined && original !== ''
        ? encodedText([original], vr, dataSet)
        : this.#restored(element, vr, dataSet);
    return value === undefined
      ? { kind: 'keep', action: 'K', because: 'rule' }
      : { kind: 'value', action: 'D', because: 'rule', vr, value };
  }

  /** UIDs by the entry, dates by its shift; undefined where nothing changes. */
  #restored(element: Element, vr: Vr, dataSet: DataSet): Uint8Array | undefined {
    if (element.value === undefined || this.#entry === undefined) return undefined;
    const { uids, shiftDays } = this.#entry;
    if (vr === 'UI') {
      const values = splitText(latin1Text(element.value), 'UI');
      return values.some((uid) => uids[uid] !== undefined)
        ? encodeText(
            values.map((uid) => uids[uid] ?? uid),
            'UI',
          )
        : undefined;
    }
    if (shiftDays === 0 || (vr !== 'DA' && vr !== 'DT')) return undefined;
    const shift = vr === 'DA' ? shiftDate : shiftDateTime;
    const dates = textValues(element, vr, dataSet)?.map((date) => shift(date, -shiftDays) ?? date);
    return dates === undefined || dates.length === 0 ? undefined : encodeText(dates, vr);
  }
}
