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
import { DeflateSink } from '../dicom/deflate.ts';
import { type OpenPart10, openPart10, writeFileMeta } from '../dicom/part10.ts';
import type { Tag } from '../dicom/tag.ts';
import { type TransferSyntax, transferSyntaxOf } from '../dicom/transfer-syntax.ts';
import type { Vr } from '../dicom/vr.ts';
import { DataSetWriter, encodeText } from '../dicom/writer.ts';
import type { PixelReplacements } from '../imaging/redact/replacement.ts';
import { ageInYears } from './ages.ts';
import { type CrosswalkEntry, sealCrosswalk } from './crosswalk.ts';
import { ElementPolicy } from './element-policy.ts';
import { ENCRYPTED_ATTRIBUTES_SEQUENCE, encryptedAttributes } from './encrypted-attributes.ts';
import { mayShowFace } from './faces.ts';
import type { KnownIdentity } from './identity.ts';
import { type Instance, readInstance } from './instance.ts';
import { type Addition, hasValue, markers } from './markers.ts';
import { OutputValues } from './output-values.ts';
import { keptPixelBytes } from './pixel-length.ts';
import type { CompiledProfile } from './profile.ts';
import { type PseudonymKey, Pseudonyms } from './pseudonym.ts';
import { type ReadHeader, readHeader } from './read-header.ts';
import { type ActionCounts, inOrder, Rewriter } from './rewriter.ts';
import type { SiblingMemory } from './siblings.ts';
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
  /** What the instances before taught; it must be of this profile and key. */
  readonly memory?: SiblingMemory;
  /** False leaves the digest out, for whoever has no use for it: of large objects it is half of the work. */
  readonly digest?: boolean;
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

/** What is known before the bytes of the output are. */
export type Undigested = Omit<Deidentification, 'digest'>;

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

/** @throws DICOM_* where the input cannot be read, DEID_* where it cannot be made safe */
export function deidentify(source: ByteSource, sink: ByteSink, options: DeidentifyOptions): Deidentification {
  const { memory } = options;
  memory?.assertFor(options);
  const open = options.read ?? memory?.read(source) ?? readHeader(openPart10(source));
  const digest = options.digest === false ? undefined : new DigestSink(sink);
  const gathered = new GatheringSink(digest ?? sink);
  const made = memory?.writeSibling(open, gathered, options) ?? writeWhole(inFull(open, source), gathered, options);
  gathered.flush();
  return { ...made, digest: digest?.hex() ?? '' };
}

/** Of a sibling that is not written as one, what others are to learn from. */
function inFull(open: ReadHeader, source: ByteSource): ReadHeader {
  return open.dataSet.isLike ? readHeader(openPart10(source)) : open;
}

function writeWhole(open: ReadHeader, sink: ByteSink, options: DeidentifyOptions): Undigested {
  const { profile, replacements, memory } = options;
  const { dataSet } = open;
  const elements = inOrder(dataSet);
  const lesson = memory?.lesson(open, options);
  const { result, asked } = dataSet.watch(() => {
    const instance = instanceOf(open, dataSet, options);
    const transferSyntax = outputSyntax(open, replacements);
    const deflate = transferSyntax.deflated ? new DeflateSink(sink) : undefined;
    const showsFace = profile.faces !== 'ignore' && dataSet.derive(mayShowFace);
    if (showsFace && profile.faces === 'hold') throw new LetheError('DEID_RECOGNIZABLE_FACE');
    const policy = new ElementPolicy(instance);
    const additions = additionsOf(instance, replacements);
    addEncrypted(additions, { instance, policy, source: open.source }, options);
    const output = new OutputValues(policy, dataSet, additions);
    const sopInstanceUid = dataSet.unwatched(() => output.string(SOP_INSTANCE_UID));
    const names = { sopClassUid: instance.sopClassUid, sopInstanceUid, transferSyntaxUid: transferSyntax.uid };
    sink.write(writeFileMeta(names));
    const rewriter = new Rewriter({
      policy,
      writer: new DataSetWriter(lesson?.tap(sink) ?? deflate ?? sink, transferSyntax),
      littleEndian: transferSyntax.littleEndian,
      source: open.source,
      additions,
      replacements: replacements?.replace ?? new Map(),
      pixelBytes: keptPixelBytes(instance),
      witness: lesson,
    });
    rewriter.writeRoot(dataSet, elements);
    deflate?.end();
    const made: Undigested = {
      pseudonyms: pseudonymsIn(output, sopInstanceUid),
      sopClassUid: instance.sopClassUid,
      transferSyntaxUid: transferSyntax.uid,
      ...modalityIn(output),
      studies: studiesOf(instance, options.studiesKey),
      identity: instance.identity,
      recognizableFace: showsFace,
      ...(options.crosswalk === undefined || options.crosswalk.form === 'attributes'
        ? {}
        : { crosswalk: crosswalkOf(instance, output, options.crosswalk) }),
      actions: rewriter.counts,
    };
    return { made, instance, policy, additions };
  });
  lesson?.keep({ ...result, asked });
  return result.made;
}

function pseudonymsIn(output: OutputValues, sopInstanceUid: string): Deidentification['pseudonyms'] {
  const age = ageInYears(output.string(PATIENT_AGE));
  return {
    studyInstanceUid: output.string(STUDY_INSTANCE_UID),
    seriesInstanceUid: output.string(SERIES_INSTANCE_UID),
    sopInstanceUid,
    accessionNumber: output.string(ACCESSION_NUMBER),
    patientId: output.string(PATIENT_ID),
    ...(age === undefined ? {} : { patientAge: age }),
  };
}

function modalityIn(output: OutputValues): { modality?: string } {
  const modality = output.string(MODALITY);
  return modality === '' ? {} : { modality };
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

export function instanceOf(open: OpenPart10, dataSet: DataSet, options: DeidentifyOptions): Instance {
  const sopClassUid = dataSet.string(SOP_CLASS_UID) ?? open.fileMeta.string(MEDIA_STORAGE_SOP_CLASS_UID);
  // Every sibling is asked for its own.
  const named = dataSet.unwatched(() => dataSet.string(SOP_INSTANCE_UID));
  const sopInstanceUid = named ?? open.fileMeta.string(MEDIA_STORAGE_SOP_INSTANCE_UID);
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
  const pseudonyms = new Pseudonyms(options.memory?.pseudonyms ?? options.key);
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
    showsFace: profile.faces !== 'ignore' && dataSet.derive(mayShowFace),
  });
  const isNamed = dataSet.unwatched(() => hasValue(dataSet, SOP_INSTANCE_UID));
  const add = (tag: Tag, vr: Vr, value: string): void => {
    if (tag === SOP_INSTANCE_UID ? !isNamed : !hasValue(dataSet, tag))
      additions.set(tag, { kind: 'value', vr, value: encodeText(value, vr) });
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
