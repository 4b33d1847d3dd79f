/**
 * What one instance teaches about the next of its series. In a series all but a handful of elements are the same, of the
 * same patient, and become the same: what such an element becomes depends on its own bytes and on what the engine asked
 * of the rest. So an instance that differs from one before in nothing that was asked for is written from the bytes that
 * were written then, and only the elements that differ are decided. The bytes are the same as without it, always; where
 * that is in doubt there is no sibling.
 *
 * A memory is of one profile and one key, and refuses others: `assertFor`. It holds identified headers, so that whoever
 * owns it lets it `forget` when there is nothing to do. It is bounded by the series it knows and the length of a header.
 *
 *   const memory = new SiblingMemory({ profile, key }); const read = memory.read(source);
 *   deidentify(source, sink, { profile, key, read, memory }); leakCheck(output, identity, memory.outputs); memory.forget();
 */
import type { ByteSink, ByteSource } from '../core/bytes.ts';
import { assert } from '../core/errors.ts';
import { ALL_ELEMENTS, type DataSet, type Element } from '../dicom/data-set.ts';
import { openPart10, writeFileMeta } from '../dicom/part10.ts';
import { type Difference, SIBLING_HEADER_BYTES_MAX, SiblingReader } from '../dicom/sibling-reader.ts';
import type { Tag } from '../dicom/tag.ts';
import { DataSetWriter } from '../dicom/writer.ts';
import type { PixelReplacements } from '../imaging/redact/replacement.ts';
import { CheckedOutputs } from './checked-outputs.ts';
import type { DeidentifyOptions, Undigested } from './deidentify.ts';
import { ElementPolicy } from './element-policy.ts';
import { ENTRIES_MAX, type KnownIdentity } from './identity.ts';
import { type Contribution, contributionOf, type Instance } from './instance.ts';
import type { Addition } from './markers.ts';
import { OutputValues } from './output-values.ts';
import { keptPixelBytes } from './pixel-length.ts';
import type { CompiledProfile } from './profile.ts';
import { type PseudonymKey, Pseudonyms } from './pseudonym.ts';
import { READING, type ReadHeader, readHeader } from './read-header.ts';
import { type ActionCounts, Rewriter, type Witness } from './rewriter.ts';

/** As many series as come in by turns; each costs two headers (64 KB, twice that where it grows) and what was read of one. */
const SERIES_MAX = 4;
const OUTPUT_BYTES_MAX = 2 * SIBLING_HEADER_BYTES_MAX;
const SOP_CLASS_UID = 0x00080016;
const SOP_INSTANCE_UID = 0x00080018;
const STUDY_INSTANCE_UID = 0x0020000d;
const SERIES_INSTANCE_UID = 0x0020000e;
const FIRST_OF_PIXEL_GROUP = 0x7fe00000;

export class SiblingMemory {
  readonly outputs = new CheckedOutputs();
  readonly pseudonyms: Pseudonyms;
  readonly #profile: CompiledProfile;
  readonly #key: PseudonymKey;
  readonly #models: Model[] = []; // the last used first
  #space: Uint8Array | undefined;
  #siblings = new WeakMap<DataSet, { readonly model: Model; readonly changes: readonly Difference[] }>();

  constructor({ profile, key }: { readonly profile: CompiledProfile; readonly key: PseudonymKey }) {
    this.#profile = profile;
    this.#key = { bytes: new Uint8Array(key.bytes), generation: key.generation };
    this.pseudonyms = new Pseudonyms(key);
  }

  /** Of another profile or key it knows nothing. @throws INVARIANT */
  assertFor({ profile, key }: { readonly profile: CompiledProfile; readonly key: PseudonymKey }): void {
    const own = this.#key;
    const isOwn = key.generation === own.generation && Buffer.compare(key.bytes, own.bytes) === 0;
    assert(profile === this.#profile && isOwn, 'a memory of another profile or key');
  }

  /** @throws as `readHeader(openPart10(source))`, whose answer it is */
  read(source: ByteSource): ReadHeader {
    for (const [place, model] of this.#models.entries()) {
      const sibling = model.reader.read(source, (tag) => !model.asked.has(tag));
      if (sibling === undefined) continue;
      this.#models.splice(place, 1);
      this.#models.unshift(model);
      this.#siblings.set(sibling.file.dataSet, { model, changes: sibling.changes });
      return sibling.file;
    }
    return readHeader(openPart10(source));
  }

  /** Undefined, and nothing written, where it is to be done in full. */
  writeSibling(header: ReadHeader, sink: ByteSink, options: DeidentifyOptions): Undigested | undefined {
    const known = this.#siblings.get(header.dataSet);
    if (known === undefined || known.model.terms !== termsOf(header, options)) return undefined;
    return known.model.write(header, known.changes, sink, options);
  }

  /** For whoever writes in full, to learn from; undefined where there is nothing to learn. */
  lesson(header: ReadHeader, options: DeidentifyOptions): Lesson | undefined {
    const reader = termsOf(header, options) === undefined ? undefined : SiblingReader.of(header, READING);
    if (reader === undefined) return undefined;
    this.#space ??= new Uint8Array(OUTPUT_BYTES_MAX); // one instance is written at a time
    return new Lesson(this.#space, (taught) => {
      const model = canTeach(taught) ? new Model(taught, { reader, terms: termsOf(header, options) }) : undefined;
      if (model === undefined) return;
      this.#models.unshift(model);
      this.#models.splice(SERIES_MAX);
    });
  }

  /** Everything that it holds of instances. */
  forget(): void {
    this.#models.length = 0;
    this.#space = undefined;
    this.#siblings = new WeakMap();
    this.outputs.forget();
  }
}

/** What of the options decides about bytes; undefined for what is different with each instance, or asks for records of it. */
function termsOf({ dataSet }: ReadHeader, options: DeidentifyOptions): string | undefined {
  const { profile, crosswalk, replacements, source, studiesKey } = options;
  if (crosswalk !== undefined || profile.rules.encrypts) return undefined;
  const replaced = [...(replacements?.replace.keys() ?? [])];
  const isOfPixels = (tag: Tag): boolean => tag >= FIRST_OF_PIXEL_GROUP && dataSet.has(tag);
  if (replacements?.transferSyntaxUid !== undefined || !replaced.every(isOfPixels)) return undefined;
  return JSON.stringify([
    source,
    studiesKey && Buffer.from(studiesKey).toString('hex'),
    replaced,
    markersOf(replacements),
  ]);
}

function markersOf(replacements: PixelReplacements | undefined): unknown {
  return [replacements?.burnedIn ?? null, replacements?.methodCodes ?? []];
}

/** The end of a lesson. */
interface Learned {
  readonly made: Undigested;
  readonly instance: Instance;
  readonly policy: ElementPolicy;
  readonly additions: ReadonlyMap<Tag, Addition>;
  /** What the engine asked the data set for, beside each element's own. */
  readonly asked: ReadonlySet<Tag>;
}

/** Where an element's own bytes are in the output, from the beginning of the data set, and what was counted until then. */
interface Mark {
  readonly start: number;
  readonly end: number;
  readonly counts: Readonly<ActionCounts>;
}

const NOTHING: Readonly<ActionCounts> = { removed: 0, emptied: 0, replaced: 0, cleaned: 0, mapped: 0, kept: 0 };

interface Taught extends Learned {
  readonly marks: readonly Mark[];
  /** The output without file meta information, up to what is too long to keep; its whole length. */
  readonly output: Uint8Array;
  readonly length: number;
}

/** Watches an instance being written. */
export class Lesson implements Witness {
  readonly #keep: (taught: Taught) => void;
  readonly #marks: Mark[] = [];
  readonly #output: Uint8Array;
  #kept = 0; // bytes of #output
  #position = 0; // in the output
  #start = 0;

  /** `space` is for what is written, until `keep`. */
  constructor(space: Uint8Array, keep: (taught: Taught) => void) {
    this.#output = space;
    this.#keep = keep;
  }

  tap(sink: ByteSink): ByteSink {
    const write = (bytes: Uint8Array): void => {
      this.#take(bytes);
      sink.write(bytes);
    };
    const later: ByteSink['later'] =
      sink.later &&
      ((length, pieces) => {
        this.#position += length;
        sink.later?.(length, pieces);
      });
    return { write, later };
  }

  before(): void {
    this.#start = this.#position;
  }

  after(counts: Readonly<ActionCounts>): void {
    this.#marks.push({ start: this.#start, end: this.#position, counts: { ...counts } });
  }

  keep(learned: Learned): void {
    const output = this.#output.slice(0, this.#kept);
    this.#keep({ ...learned, marks: this.#marks, output, length: this.#position });
  }

  #take(bytes: Uint8Array): void {
    // Once something did not fit nothing behind it is kept.
    if (this.#kept === this.#position && this.#kept + bytes.length <= this.#output.length) {
      this.#output.set(bytes, this.#kept);
      this.#kept += bytes.length;
    }
    this.#position += bytes.length;
  }
}

function difference(all: Readonly<ActionCounts>, less: Readonly<ActionCounts>): ActionCounts {
  return {
    removed: all.removed - less.removed,
    emptied: all.emptied - less.emptied,
    replaced: all.replaced - less.replaced,
    cleaned: all.cleaned - less.cleaned,
    mapped: all.mapped - less.mapped,
    kept: all.kept - less.kept,
  };
}

/** Whether siblings differ only where they are seen to: not in what an instance got for want of an identifier. */
function canTeach({ instance, additions, marks, output, length, asked }: Taught): boolean {
  const { dataSet } = instance;
  if (asked.has(ALL_ELEMENTS) || additions.has(SOP_INSTANCE_UID) || additions.has(SERIES_INSTANCE_UID)) return false;
  if (dataSet.string(STUDY_INSTANCE_UID) === undefined || dataSet.string(SOP_CLASS_UID) === undefined) return false;
  const last = marks.at(-1);
  if (last === undefined || !marks.every(({ end }, index) => index === marks.length - 1 || end <= output.length))
    return false;
  return last.start <= output.length && (output.length === length || last.end === length);
}

class Model {
  readonly reader: SiblingReader;
  readonly terms: string | undefined;
  readonly #taught: Taught;
  readonly #elements: readonly Element[];
  /** Of the elements that siblings were seen to differ in, by place: what they add to the identity. */
  readonly #varying = new Map<number, Contribution>();
  #otherUids: ReadonlySet<string> | undefined;

  constructor(taught: Taught, { reader, terms }: Pick<Model, 'reader' | 'terms'>) {
    this.reader = reader;
    this.terms = terms;
    this.#taught = taught;
    this.#elements = [...taught.instance.dataSet.elements()];
  }

  get asked(): ReadonlySet<Tag> {
    return this.#taught.asked;
  }

  /** Undefined, and nothing written, where more is different than the elements that differ. */
  write(
    header: ReadHeader,
    changes: readonly Difference[],
    sink: ByteSink,
    { replacements }: DeidentifyOptions,
  ): Undigested | undefined {
    const { instance: first, additions, made, marks, output } = this.#taught;
    const { dataSet, transferSyntax, source } = header;
    const sopInstanceUid = dataSet.string(SOP_INSTANCE_UID);
    const identity = sopInstanceUid === undefined ? undefined : this.#identityWith(dataSet, changes);
    if (sopInstanceUid === undefined || identity === undefined) return undefined;
    const pseudonyms = new Pseudonyms(first.pseudonyms);
    const instance: Instance = { ...first, dataSet, sopInstanceUid, identity, pseudonyms };
    const policy = new ElementPolicy(instance);
    const uid = new OutputValues(policy, dataSet, additions).string(SOP_INSTANCE_UID);
    const { sopClassUid, transferSyntaxUid } = made;
    sink.write(writeFileMeta({ sopClassUid, sopInstanceUid: uid, transferSyntaxUid }));
    const rewriter = new Rewriter({
      policy,
      writer: new DataSetWriter(sink, transferSyntax),
      littleEndian: transferSyntax.littleEndian,
      source,
      additions,
      replacements: replacements?.replace ?? new Map(),
      pixelBytes: keptPixelBytes(instance),
    });
    let actions: ActionCounts = made.actions;
    let at = 0;
    for (const { index, element } of changes) {
      const mark = marks[index];
      assert(mark !== undefined, 'an element without its place in the output');
      sink.write(output.subarray(at, mark.start));
      rewriter.writeOne(element, dataSet);
      at = mark.end;
      actions = difference(actions, difference(mark.counts, marks[index - 1]?.counts ?? NOTHING));
    }
    sink.write(output.subarray(at));
    return {
      ...made,
      pseudonyms: { ...made.pseudonyms, sopInstanceUid: uid },
      identity,
      actions: sum(actions, rewriter.counts),
    };
  }

  /** With the same words, phrases and dates, which must be so; of UIDs those of this instance. */
  #identityWith(dataSet: DataSet, changes: readonly Difference[]): KnownIdentity | undefined {
    const { identity, profile } = this.#taught.instance;
    const { askedUids } = this.#taught.policy;
    const own = new Map<number, Contribution>();
    for (const { index, element } of changes) {
      const before = this.#contribution(index);
      const now = contributionOf(element, dataSet, profile);
      if (now.known !== before.known) return undefined;
      if (before.uids.some((uid) => askedUids.has(uid)) || now.uids.some((uid) => askedUids.has(uid))) return undefined;
      own.set(index, now);
    }
    this.#otherUids ??= this.#collectOthers();
    if (this.#otherUids === undefined) return undefined;
    const uids = new Set(this.#otherUids);
    for (const [index, before] of this.#varying) for (const uid of (own.get(index) ?? before).uids) uids.add(uid);
    return { ...identity, uids };
  }

  #contribution(index: number): Contribution {
    let contribution = this.#varying.get(index);
    if (contribution === undefined) {
      contribution = this.#contributionOf(index);
      this.#varying.set(index, contribution);
      this.#otherUids = undefined;
    }
    return contribution;
  }

  #contributionOf(index: number): Contribution {
    const { dataSet, profile } = this.#taught.instance;
    const element = this.#elements[index];
    assert(element !== undefined, 'a difference without its element');
    return contributionOf(element, dataSet, profile);
  }

  /** UIDs of the elements that never varied; undefined where there is so much that some of it was left out. */
  #collectOthers(): ReadonlySet<string> | undefined {
    const uids = new Set<string>();
    let count = 0;
    for (const index of this.#elements.keys()) {
      const contribution = this.#varying.get(index) ?? this.#contributionOf(index);
      count += contribution.count;
      if (!this.#varying.has(index)) for (const uid of contribution.uids) uids.add(uid);
    }
    return count > ENTRIES_MAX ? undefined : uids;
  }
}

function sum(all: Readonly<ActionCounts>, more: Readonly<ActionCounts>): ActionCounts {
  return difference(all, difference(NOTHING, more));
}
