/**
 * De-identification of one instance, PS3.15 Annex E: a Part 10 file in, a Part 10 file out. First the header is read as a
 * whole and everything that identifies is collected; then it is written element by element, bulk values as bytes.
 *
 * Deterministic: the same input, profile and key give the same bytes. Fails closed: what cannot be done throws a
 * LetheError and what was written so far is not to be used. What stands after Pixel Data stays behind: no profile keeps
 * any of it, and bytes after the data set are no data set.
 *
 *   const { pseudonyms, identity, digest } = deidentify(source, sink, { profile, key });
 */
import { createHash } from 'node:crypto';
import { type ByteSink, type ByteSource, GatheringSink } from '../core/bytes.ts';
import { LetheError } from '../core/errors.ts';
import type { DataSet } from '../dicom/data-set.ts';
import { readDataSet } from '../dicom/data-set-reader.ts';
import { DeflateSink } from '../dicom/deflate.ts';
import { type OpenPart10, openPart10, writeFileMeta } from '../dicom/part10.ts';
import type { Tag } from '../dicom/tag.ts';
import { type TransferSyntax, transferSyntaxOf } from '../dicom/transfer-syntax.ts';
import type { Vr } from '../dicom/vr.ts';
import { DataSetWriter, encodeText } from '../dicom/writer.ts';
import type { PixelReplacements } from '../imaging/redact/replacement.ts';
import { ageInYears } from './ages.ts';
import { type CrosswalkEntry, sealCrosswalk } from './crosswalk.ts';
import { ElementPolicy, TOP_LEVEL } from './element-policy.ts';
import { ENCRYPTED_ATTRIBUTES_SEQUENCE, encryptedAttributes } from './encrypted-attributes.ts';
import { mayShowFace } from './faces.ts';
import type { KnownIdentity } from './identity.ts';
import { type Instance, readInstance } from './instance.ts';
import { type Addition, emptyElement, hasValue, markers } from './markers.ts';
import { nativePixelBytes } from './pixel-length.ts';
import type { CompiledProfile } from './profile.ts';
import { type PseudonymKey, Pseudonyms } from './pseudonym.ts';
import { type ActionCounts, Rewriter } from './rewriter.ts';
import { textValues } from './value-text.ts';

export type CrosswalkForm = 'records' | 'attributes' | 'both';

export interface DeidentifyOptions {
  readonly profile: CompiledProfile;
  readonly key: PseudonymKey;
  /** 32 bytes under which patients and studies are compared across rotations of `key`. */
  readonly studiesKey?: Uint8Array;
  /** Configured name of the sender, for rules that ask for it. */
  readonly source?: string;
  /** Asks for a record of the originals, encrypted to the holder of the private key. */
  readonly crosswalk?: {
    readonly publicKeyPem: string;
    random(bytes: number): Uint8Array;
    /** A record beside (unless said), the Encrypted Attributes Sequence in the instance, or both. */
    readonly form?: CrosswalkForm;
  };
  /** What takes the place of the pixels and of what describes them. */
  readonly replacements?: PixelReplacements;
  /** The same source as `readHeader` read it, for whoever looked at it before: it is not read again. */
  readonly read?: ReadHeader;
  /** False leaves the digest out, for whoever has no use for it: of large objects it is half of the work. */
  readonly digest?: boolean;
}

/** A Part 10 file with its header. */
export interface ReadHeader extends OpenPart10 {
  readonly dataSet: DataSet;
}

/** Keyed hashes, for telling whether two instances are of one patient or study without knowing whose. */
export interface StudyOfPatient {
  readonly studyKey: string;
  readonly patientKey: string;
}

export interface Deidentification {
  readonly pseudonyms: {
    readonly studyInstanceUid: string;
    readonly seriesInstanceUid: string;
    readonly sopInstanceUid: string;
    readonly accessionNumber: string;
    readonly patientId: string;
    /** Whole years, `nnnY`; absent where the output has no age. */
    readonly patientAge?: string;
  };
  readonly sopClassUid: string;
  readonly transferSyntaxUid: string;
  readonly modality?: string;
  /** Under `studiesKey` where it was given; and under the key and generation of the pseudonyms. */
  readonly studies: readonly StudyOfPatient[];
  /** SHA-256 of the output, hexadecimal; empty where it was not asked for. */
  readonly digest: string;
  /** For `leakCheck`. It never leaves the process and is never logged. */
  readonly identity: KnownIdentity;
  /** The profile asks for it, and images like this one may show the face. */
  readonly recognizableFace: boolean;
  /** For `openCrosswalk`; present where it was asked for. */
  readonly crosswalk?: Uint8Array;
  readonly actions: Readonly<ActionCounts>;
}

const SOP_CLASS_UID = 0x00080016;
const SOP_INSTANCE_UID = 0x00080018;
const ACCESSION_NUMBER = 0x00080050;
const MODALITY = 0x00080060;
const PATIENT_ID = 0x00100020;
const PATIENT_AGE = 0x00101010;
const PATIENT_NAME = 0x00100010;
const ISSUER_OF_PATIENT_ID = 0x00100021;
const PATIENT_BIRTH_DATE = 0x00100030;
const STUDY_ID = 0x00200010;
const STUDY_INSTANCE_UID = 0x0020000d;
const SERIES_INSTANCE_UID = 0x0020000e;
const ENCAPSULATED_DOCUMENT = 0x00420011;
const MEDIA_STORAGE_SOP_CLASS_UID = 0x00020002;
const MEDIA_STORAGE_SOP_INSTANCE_UID = 0x00020003;
const MEDIA_STORAGE_DIRECTORY = '1.2.840.10008.1.3.10';
/** Most text and every table of colours is read with the header; pixels are not. */
const WHOLE_VALUE_BYTES_MAX = 256 * 1024;

/** @throws DICOM_* where the input cannot be read, DEID_* where it cannot be made safe */
export function deidentify(source: ByteSource, sink: ByteSink, options: DeidentifyOptions): Deidentification {
  const { profile, replacements } = options;
  const open = options.read ?? readHeader(openPart10(source));
  const { dataSet } = open;
  const instance = instanceOf(open, dataSet, options);
  const transferSyntax = outputSyntax(open, replacements);
  const showsFace = profile.faces !== 'ignore' && mayShowFace(dataSet);
  if (showsFace && profile.faces === 'hold') throw new LetheError('DEID_RECOGNIZABLE_FACE');
  const policy = new ElementPolicy(instance);
  const additions = additionsOf(instance, replacements);
  addEncrypted(additions, { instance, policy, source: open.source }, options);
  const output = new OutputValues(policy, dataSet, additions);
  const digest = options.digest === false ? undefined : new DigestSink(sink);
  const gathered = new GatheringSink(digest ?? sink);
  const sopInstanceUid = output.string(SOP_INSTANCE_UID);
  gathered.write(
    writeFileMeta({ sopClassUid: instance.sopClassUid, sopInstanceUid, transferSyntaxUid: transferSyntax.uid }),
  );
  const deflate = transferSyntax.deflated ? new DeflateSink(gathered) : undefined;
  const rewriter = new Rewriter({
    policy,
    writer: new DataSetWriter(deflate ?? gathered, transferSyntax),
    littleEndian: transferSyntax.littleEndian,
    source: open.source,
    additions,
    replacements: replacements?.replace ?? new Map(),
    pixelBytes: profile.base === 'none' ? undefined : nativePixelBytes(dataSet),
  });
  rewriter.writeRoot(dataSet);
  deflate?.end();
  gathered.flush();
  const age = ageInYears(output.string(PATIENT_AGE));
  const modality = output.string(MODALITY);
  return {
    pseudonyms: {
      studyInstanceUid: output.string(STUDY_INSTANCE_UID),
      seriesInstanceUid: output.string(SERIES_INSTANCE_UID),
      sopInstanceUid,
      accessionNumber: output.string(ACCESSION_NUMBER),
      patientId: output.string(PATIENT_ID),
      ...(age === undefined ? {} : { patientAge: age }),
    },
    sopClassUid: instance.sopClassUid,
    transferSyntaxUid: transferSyntax.uid,
    ...(modality === '' ? {} : { modality }),
    studies: studiesOf(instance, options.studiesKey),
    digest: digest?.hex() ?? '',
    identity: instance.identity,
    recognizableFace: showsFace,
    ...(options.crosswalk === undefined || options.crosswalk.form === 'attributes'
      ? {}
      : { crosswalk: crosswalkOf(instance, output, options.crosswalk) }),
    actions: rewriter.counts,
  };
}

/** Of no generation, since the key is not rotated. */
const NOT_ROTATED = 0;

function studiesOf({ patient, studyInstanceUid, pseudonyms }: Instance, key?: Uint8Array): StudyOfPatient[] {
  const lasting = key === undefined ? [] : [new Pseudonyms({ bytes: key, generation: NOT_ROTATED })];
  return [...lasting, pseudonyms].map((by) => ({
    studyKey: by.studyKey(studyInstanceUid),
    patientKey: by.patientKey(patient),
  }));
}

/** The header with Pixel Data as a reference, and nothing of what follows them. */
export function readHeader(open: OpenPart10): ReadHeader {
  const dataSet = readDataSet(open.source, {
    ...open.encoding,
    offset: open.dataSetOffset,
    wholeValueBytesMax: WHOLE_VALUE_BYTES_MAX,
    endAfterPixelData: true,
  });
  return { ...open, dataSet };
}

export function instanceOf(open: OpenPart10, dataSet: DataSet, options: DeidentifyOptions): Instance {
  const sopClassUid = dataSet.string(SOP_CLASS_UID) ?? open.fileMeta.string(MEDIA_STORAGE_SOP_CLASS_UID);
  const sopInstanceUid = dataSet.string(SOP_INSTANCE_UID) ?? open.fileMeta.string(MEDIA_STORAGE_SOP_INSTANCE_UID);
  if (sopClassUid === undefined || sopInstanceUid === undefined) {
    throw new LetheError('DEID_UNSUPPORTED_CONTENT', { problem: 'no SOP Class UID or no SOP Instance UID' });
  }
  const { profile } = options;
  if (sopClassUid === MEDIA_STORAGE_DIRECTORY) {
    throw new LetheError('DEID_UNSUPPORTED_CONTENT', { problem: 'a directory is no instance' });
  }
  if (profile.base !== 'none' && profile.documents === 'hold' && hasValue(dataSet, ENCAPSULATED_DOCUMENT)) {
    throw new LetheError('DEID_UNSUPPORTED_CONTENT', { problem: 'encapsulated document', path: '(0042,0011)' });
  }
  const pseudonyms = new Pseudonyms(options.key);
  return readInstance(dataSet, { profile, pseudonyms, sopClassUid, sopInstanceUid, source: options.source });
}

function outputSyntax(open: OpenPart10, replacements: PixelReplacements | undefined): TransferSyntax {
  const uid = replacements?.transferSyntaxUid;
  const syntax = uid === undefined ? open.transferSyntax : transferSyntaxOf(uid);
  if (syntax === undefined) throw new LetheError('DICOM_TRANSFER_SYNTAX_UNKNOWN');
  return syntax;
}

/** Markers, and the identifiers that the instance came without: whoever receives it must be able to refer to it. */
export function additionsOf(instance: Instance, replacements: PixelReplacements | undefined): Map<Tag, Addition> {
  const { profile, dataSet, pseudonyms } = instance;
  const additions = markers({
    profile,
    burnedIn: replacements?.burnedIn,
    methodCodes: replacements?.methodCodes ?? [],
    showsFace: profile.faces !== 'ignore' && mayShowFace(dataSet),
  });
  const add = (tag: Tag, vr: Vr, value: string): void => {
    if (!hasValue(dataSet, tag)) additions.set(tag, { kind: 'value', vr, value: encodeText(value, vr) });
  };
  const isKept = profile.base === 'none';
  add(SOP_CLASS_UID, 'UI', instance.sopClassUid);
  add(SOP_INSTANCE_UID, 'UI', isKept ? instance.sopInstanceUid : pseudonyms.uid(instance.sopInstanceUid));
  add(STUDY_INSTANCE_UID, 'UI', pseudonyms.uid(instance.studyInstanceUid));
  add(SERIES_INSTANCE_UID, 'UI', pseudonyms.uid(`series of ${instance.sopInstanceUid}`));
  add(ACCESSION_NUMBER, 'SH', pseudonyms.accessionNumber(undefined, instance.studyInstanceUid));
  add(PATIENT_ID, 'LO', pseudonyms.patientId(instance.patient));
  return additions;
}

function addEncrypted(
  additions: Map<Tag, Addition>,
  of: { instance: Instance; policy: ElementPolicy; source: ByteSource },
  { profile, crosswalk }: DeidentifyOptions,
): void {
  const all = crosswalk?.form === 'attributes' || crosswalk?.form === 'both';
  if (!all && !profile.rules.encrypts) return;
  if (crosswalk === undefined) {
    throw new LetheError('DEID_ACTION_FAILED', { problem: 'the profile encrypts, and no public key is configured' });
  }
  const { dataSet, pseudonyms } = of.instance;
  const { publicKeyPem } = crosswalk;
  const sequence = encryptedAttributes(dataSet, of.policy, { publicKeyPem, all, pseudonyms, source: of.source });
  if (sequence !== undefined) additions.set(ENCRYPTED_ATTRIBUTES_SEQUENCE, sequence);
}

function crosswalkOf(
  instance: Instance,
  output: OutputValues,
  { publicKeyPem, random }: NonNullable<DeidentifyOptions['crosswalk']>,
): Uint8Array {
  const { dataSet, pseudonyms, profile } = instance;
  const original = (tag: Tag): string => {
    const element = dataSet.element(tag);
    return element === undefined ? '' : (textValues(element, element.vr, dataSet)?.join('\\') ?? '');
  };
  const entry: CrosswalkEntry = {
    generation: pseudonyms.generation,
    patientId: original(PATIENT_ID),
    patientName: original(PATIENT_NAME),
    patientBirthDate: original(PATIENT_BIRTH_DATE),
    issuerOfPatientId: original(ISSUER_OF_PATIENT_ID),
    accessionNumber: original(ACCESSION_NUMBER),
    studyId: original(STUDY_ID),
    shiftDays: profile.options.has('retainLongitudinalModifiedDates') ? instance.shiftDays : 0,
    uids: Object.fromEntries([...instance.identity.uids].map((uid) => [pseudonyms.uid(uid), uid])),
    pseudonyms: {
      patientId: output.string(PATIENT_ID),
      accessionNumber: output.string(ACCESSION_NUMBER),
      studyInstanceUid: output.string(STUDY_INSTANCE_UID),
    },
  };
  return sealCrosswalk(entry, publicKeyPem, random);
}

/** What the output says of itself at the top level. */
class OutputValues {
  readonly #policy: ElementPolicy;
  readonly #dataSet: DataSet;
  readonly #additions: ReadonlyMap<Tag, Addition>;

  constructor(policy: ElementPolicy, dataSet: DataSet, additions: ReadonlyMap<Tag, Addition>) {
    this.#policy = policy;
    this.#dataSet = dataSet;
    this.#additions = additions;
  }

  string(tag: Tag): string {
    const addition = this.#additions.get(tag);
    if (addition?.kind === 'value') return trimmed(addition.value);
    const element = this.#dataSet.element(tag) ?? emptyElement(tag, 'LO');
    const verdict = this.#policy.verdict(element, this.#dataSet, TOP_LEVEL);
    if (verdict.kind === 'value') return trimmed(verdict.value);
    return verdict.kind === 'keep' ? (this.#dataSet.string(tag) ?? '') : '';
  }
}

/** Without the padding of any VR: spaces, and the NUL of a UID of odd length (PS3.5 §6.2). */
function trimmed(value: Uint8Array): string {
  const text = Buffer.from(value.buffer, value.byteOffset, value.length).toString('latin1');
  return text.replace(/[\0 ]+$/, '').trimStart();
}

class DigestSink implements ByteSink {
  readonly #sink: ByteSink;
  readonly #hash = createHash('sha256');

  constructor(sink: ByteSink) {
    this.#sink = sink;
  }

  write(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    this.#sink.write(bytes);
  }

  hex(): string {
    return this.#hash.digest('hex');
  }
}
