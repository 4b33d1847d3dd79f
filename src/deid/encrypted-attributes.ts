/**
 * Encrypted Attributes Sequence (0400,0500), PS3.15 §E.1.1 and PS3.3 §C.12.1.1.4.1: the originals of what was changed
 * travel with the instance, readable for the holder of an RSA private key alone. One item: Encrypted Content Transfer
 * Syntax UID, and Encrypted Content, a CMS envelope of a data set whose Modified Attributes Sequence (0400,0550) has one
 * item with the original attributes of the top level; sequences are in it whole.
 *
 * Key and padding come from the customer's key and the content, so that the same instance gives the same bytes. Pixels
 * and values longer than a header's are not in it.
 */
import { type ByteSource, bytesSource, MemorySink } from '../core/bytes.ts';
import { LetheError } from '../core/errors.ts';
import type { DataSet, Element } from '../dicom/data-set.ts';
import { readDataSet } from '../dicom/data-set-reader.ts';
import { elementOf, groupOf, type Tag } from '../dicom/tag.ts';
import { DataSetWriter, encodeText } from '../dicom/writer.ts';
import { type Place, type Policy, sequenceItems, TOP_LEVEL, type Verdict } from './element-policy.ts';
import { openEnvelope, sealEnvelope } from './enveloped-data.ts';
import type { Addition } from './markers.ts';
import type { Pseudonyms } from './pseudonym.ts';
import { inOrder, Rewriter } from './rewriter.ts';

export const ENCRYPTED_ATTRIBUTES_SEQUENCE = 0x04000500;
export const ENCRYPTED_CONTENT = 0x04000520;
const ENCRYPTED_CONTENT_TRANSFER_SYNTAX_UID = 0x04000510;
const MODIFIED_ATTRIBUTES_SEQUENCE = 0x04000550;
const SPECIFIC_CHARACTER_SET = 0x00080005;
const EXPLICIT_LITTLE = { explicitVr: true, littleEndian: true };
const EXPLICIT_LITTLE_UID = '1.2.840.10008.1.2.1';
const VALUE_BYTES_MAX = 64 * 1024;
const CONTENT_BYTES_MAX = 4 * 1024 * 1024;
const KEY_BYTES = 32;
const IV_BYTES = 16;

export interface EncryptionOptions {
  readonly publicKeyPem: string;
  /** All that changes; false: only what a rule of the profile encrypts. */
  readonly all: boolean;
  readonly pseudonyms: Pseudonyms;
  readonly source: ByteSource;
}

/**
 * The sequence for the output; undefined where nothing is to be in it.
 * @throws DEID_KEY_INVALID, DEID_ACTION_FAILED where the originals are too many
 */
export function encryptedAttributes(
  dataSet: DataSet,
  policy: Policy,
  { publicKeyPem, all, pseudonyms, source }: EncryptionOptions,
): Addition | undefined {
  const originals = new OriginalsPolicy(dataSet, policy, all);
  const wanted = [...dataSet.elements()].filter((element) => originals.isWanted(element));
  if (wanted.length === 0) return undefined;
  const sink = new MemorySink();
  const writer = new DataSetWriter(sink, EXPLICIT_LITTLE);
  writer.beginSequence(MODIFIED_ATTRIBUTES_SEQUENCE);
  writer.beginItem();
  const nothing = new Map<Tag, never>();
  new Rewriter({
    policy: originals,
    writer,
    littleEndian: true,
    source,
    additions: nothing,
    replacements: nothing,
    pixelBytes: undefined,
  }).writeRoot(dataSet, inOrder(dataSet));
  writer.endItem();
  writer.endSequence();
  const content = sink.bytes();
  if (content.length > CONTENT_BYTES_MAX) {
    throw new LetheError('DEID_ACTION_FAILED', {
      path: '(0400,0500)',
      bytes: content.length,
      bytesMax: CONTENT_BYTES_MAX,
    });
  }
  const envelope = sealEnvelope(content, publicKeyPem, {
    key: pseudonyms.bytes('encrypted attributes key', content, KEY_BYTES),
    iv: pseudonyms.bytes('encrypted attributes iv', content, IV_BYTES),
    seed: pseudonyms.bytes('encrypted attributes seed', content, KEY_BYTES),
  });
  return {
    kind: 'items',
    items: [
      [
        [ENCRYPTED_CONTENT_TRANSFER_SYNTAX_UID, 'UI', encodeText(EXPLICIT_LITTLE_UID, 'UI')],
        [ENCRYPTED_CONTENT, 'OB', envelope],
      ],
    ],
  };
}

/** Keeps, of the top level, what another policy would change, as it is. */
class OriginalsPolicy implements Policy {
  readonly #root: DataSet;
  readonly #policy: Policy;
  readonly #all: boolean;

  constructor(root: DataSet, policy: Policy, all: boolean) {
    this.#root = root;
    this.#policy = policy;
    this.#all = all;
  }

  itemPlace(_tag: Tag, _item: DataSet, place: Place): Place {
    return place;
  }

  verdict(element: Element, dataSet: DataSet, place: Place): Verdict {
    const isCharacterSet = element.tag === SPECIFIC_CHARACTER_SET;
    if (dataSet === this.#root && !isCharacterSet && !this.isWanted(element)) return REMOVE;
    const items = sequenceItems(element);
    if (items !== undefined) return { kind: 'items', action: 'K', because: 'rule', items, place };
    return isBulk(element) ? REMOVE : { kind: 'keep', action: 'K', because: 'rule' };
  }

  isWanted(element: Element): boolean {
    const { tag } = element;
    if (groupOf(tag) <= 7 || elementOf(tag) === 0 || tag === ENCRYPTED_ATTRIBUTES_SEQUENCE) return false;
    return !isBulk(element) && this.#isChanged(element, this.#root, TOP_LEVEL);
  }

  #isChanged(element: Element, dataSet: DataSet, place: Place): boolean {
    const verdict = this.#policy.verdict(element, dataSet, place);
    if (verdict.encrypt === true || (this.#all && (verdict.kind === 'remove' || verdict.kind === 'value'))) return true;
    if (verdict.kind !== 'items') return false;
    const originals = sequenceItems(element)?.length ?? 0;
    if (this.#all && verdict.items.length !== originals) return true;
    return verdict.items.some((item) => {
      const inside = this.#policy.itemPlace(element.tag, item, verdict.place);
      if (inside === undefined) return this.#all;
      return [...inOrder(item)].some((inner) => this.#isChanged(inner, item, inside));
    });
  }
}

const REMOVE: Verdict = { kind: 'remove', action: 'X', because: 'rule' };

function isBulk(element: Element): boolean {
  if (element.items !== undefined) return false;
  return element.fragments !== undefined || element.value === undefined || element.length > VALUE_BYTES_MAX;
}

/**
 * The original attributes of the top level.
 * @throws DEID_KEY_INVALID for another key, DEID_LOOKUP_MISSING where the instance has none
 */
export function openEncryptedAttributes(dataSet: DataSet, privateKeyPem: string): DataSet {
  let failure: unknown = new LetheError('DEID_LOOKUP_MISSING', { problem: 'the instance has no encrypted attributes' });
  for (const item of dataSet.items(ENCRYPTED_ATTRIBUTES_SEQUENCE)) {
    const envelope = item.bytes(ENCRYPTED_CONTENT);
    if (envelope === undefined) continue;
    try {
      const content = openEnvelope(envelope, privateKeyPem);
      const opened = readDataSet(bytesSource(content), { ...EXPLICIT_LITTLE, wholeValueBytesMax: CONTENT_BYTES_MAX });
      const [originals] = opened.items(MODIFIED_ATTRIBUTES_SEQUENCE);
      if (originals !== undefined) return originals;
    } catch (error) {
      failure = error; // several recipients have an item each: another may be ours
    }
  }
  throw failure;
}
