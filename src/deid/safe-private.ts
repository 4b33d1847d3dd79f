/**
 * Which private elements may stay (PS3.15 §E.3.10): those that Table E.3.10-1 lists, and those that the instance itself
 * declares in Private Data Element Characteristics (0008,0300), PS3.3 §C.12.1.1.7: whole blocks as SAFE, single elements
 * of MIXED blocks as not identifying, and for identifying ones the action that makes them safe.
 */
import type { DataSet } from '../dicom/data-set.ts';
import type { Action } from './actions.ts';
import { isSafeGroup, isSafePrivate } from './tables.ts';

const PRIVATE_DATA_ELEMENT_CHARACTERISTICS = 0x00080300;
const PRIVATE_GROUP_REFERENCE = 0x00080301;
const PRIVATE_CREATOR_REFERENCE = 0x00080302;
const BLOCK_IDENTIFYING_INFORMATION_STATUS = 0x00080303;
const NONIDENTIFYING_PRIVATE_ELEMENTS = 0x00080304;
const DEIDENTIFICATION_ACTION_SEQUENCE = 0x00080305;
const IDENTIFYING_PRIVATE_ELEMENTS = 0x00080306;
const DEIDENTIFICATION_ACTION = 0x00080307;
const DECLARABLE: readonly string[] = ['D', 'Z', 'X', 'U'];

interface Block {
  readonly isSafe: boolean;
  readonly safe: ReadonlySet<number>;
  readonly actions: ReadonlyMap<number, Action>;
}

export class SafePrivate {
  /** By group and creator. */
  readonly #declared = new Map<string, Block>();
  readonly #groups = new Set<number>();

  constructor(root: DataSet) {
    for (const item of root.items(PRIVATE_DATA_ELEMENT_CHARACTERISTICS)) {
      const group = item.number(PRIVATE_GROUP_REFERENCE);
      const creator = item.has(PRIVATE_CREATOR_REFERENCE) ? creatorIn(item) : undefined;
      if (group === undefined || creator === undefined) continue;
      this.#groups.add(group);
      this.#declared.set(`${group} ${creator}`, blockOf(item));
    }
  }

  /** Whether anything of the group could stay: of most private groups nothing can. */
  mayKeep(group: number): boolean {
    return isSafeGroup(group) || this.#groups.has(group);
  }

  /** What is done with an element (last two digits of its tag) of a creator's block; undefined: it goes. */
  actionOf(group: number, creator: string, element: number): Action | undefined {
    if (isSafePrivate(group, creator, element)) return 'K';
    const block = this.#declared.get(`${group} ${creator}`);
    if (block === undefined) return undefined;
    const number = element & 0xff;
    const action = block.actions.get(number);
    if (action !== undefined) return action === 'X' ? undefined : action;
    return block.isSafe || block.safe.has(number) ? 'K' : undefined;
  }
}

function blockOf(item: DataSet): Block {
  const actions = new Map<number, Action>();
  for (const one of item.items(DEIDENTIFICATION_ACTION_SEQUENCE)) {
    const action = one.string(DEIDENTIFICATION_ACTION) ?? 'X';
    // An action that is none of the standard's is not guessed.
    const known = DECLARABLE.includes(action) ? (action as Action) : 'X';
    for (const element of one.numbers(IDENTIFYING_PRIVATE_ELEMENTS)) actions.set(element & 0xff, known);
  }
  const status = item.string(BLOCK_IDENTIFYING_INFORMATION_STATUS);
  return {
    isSafe: status === 'SAFE',
    safe: new Set(
      status === 'MIXED' ? item.numbers(NONIDENTIFYING_PRIVATE_ELEMENTS).map((element) => element & 0xff) : [],
    ),
    actions,
  };
}

/** In an unknown character set a creator is nobody's. */
function creatorIn(item: DataSet): string | undefined {
  const bytes = item.bytes(PRIVATE_CREATOR_REFERENCE);
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('latin1').trim();
}
