/**
 * Outputs in which the leak check found nothing, for the check of their siblings: whether a value holds something known to
 * identify depends on its bytes, on the character set and on what is known, and none of these is different in most of the
 * elements of the next instance of a series. Those that are different are searched like any.
 *
 * What is known is the same when it is the same objects, made by one `SiblingMemory`. UIDs differ with every instance: an
 * output is only of use while none of the new ones is a UID that it held.
 */
import type { ByteSource } from '../core/bytes.ts';
import type { Part10File } from '../dicom/part10.ts';
import { type Sibling, SiblingReader } from '../dicom/sibling-reader.ts';
import type { KnownIdentity } from './identity.ts';

/** How outputs are read. */
export const READING = { wholeValueBytesMax: 4_194_304, pixelsStay: true } as const;

/** As many series as come in by turns; each costs a header (64 KB), read and as bytes. */
const OUTPUTS_MAX = 4;
const UIDS_MAX = 4096;

interface Checked {
  readonly reader: SiblingReader;
  readonly words: KnownIdentity['words'];
  readonly phrases: KnownIdentity['phrases'];
  readonly dates: KnownIdentity['dates'];
  /** UIDs in it that were compared with those known. */
  readonly uids: ReadonlySet<string>;
}

const anyMayDiffer = (): boolean => true;

export class CheckedOutputs {
  readonly #checked: Checked[] = []; // the last first

  /** Of what is not among its changes, nothing holds what is known. */
  siblingOf(output: ByteSource, identity: KnownIdentity): Sibling | undefined {
    for (const one of this.#checked) {
      const { words, phrases, dates } = one;
      if (words !== identity.words || phrases !== identity.phrases || dates !== identity.dates) continue;
      if ([...identity.uids].some((uid) => one.uids.has(uid))) continue;
      const sibling = one.reader.read(output, anyMayDiffer);
      if (sibling !== undefined) return sibling;
    }
    return undefined;
  }

  /** Nothing was found in it. `uids`: those that were compared with the ones known. */
  add(file: Part10File, identity: KnownIdentity, uids: ReadonlySet<string>): void {
    const { words, phrases, dates } = identity;
    const reader = uids.size > UIDS_MAX ? undefined : SiblingReader.of(file, READING);
    if (reader === undefined) return;
    this.#checked.unshift({ reader, words, phrases, dates, uids });
    this.#checked.splice(OUTPUTS_MAX);
  }

  forget(): void {
    this.#checked.length = 0;
  }
}
