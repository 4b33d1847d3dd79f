/** What the output says of itself at the top level, before it is written. */
import type { DataSet } from '../dicom/data-set.ts';
import type { Tag } from '../dicom/tag.ts';
import { type Policy, TOP_LEVEL } from './element-policy.ts';
import { type Addition, emptyElement } from './markers.ts';

export class OutputValues {
  readonly #policy: Policy;
  readonly #dataSet: DataSet;
  readonly #additions: ReadonlyMap<Tag, Addition>;

  constructor(policy: Policy, dataSet: DataSet, additions: ReadonlyMap<Tag, Addition>) {
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
