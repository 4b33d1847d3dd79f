/**
 * The action codes of PS3.15 Table E.1-1a: how a code with a choice is settled by the attribute's Type in the instance's
 * IOD, and the dummy values of D. A dummy depends on the VR alone, so that it says nothing of what was there.
 */

import { VRS, type Vr } from '../dicom/vr.ts';
import { encodeText } from '../dicom/writer.ts';
import type { ActionCode, AttributeType } from './tables.ts';

/** What is done in the end. */
export type Action = 'X' | 'Z' | 'D' | 'K' | 'C' | 'U';

/**
 * Settles a choice. The condition of Types 1C and 2C is taken as met, since the attribute is there. Where the choice
 * allows an empty value, or UIDs that are mapped, it is taken over removal also for Type 3: both leave nothing that
 * identifies, and the instance stays valid by editions of PS3.3 that made the attribute Type 2 or 1 since. Where the IOD is
 * not known, the choice that keeps any IOD valid is taken. An attribute of Type 2 whose action is X is emptied.
 */
export function settle(code: ActionCode, type: AttributeType | undefined, isSequence = false): Action {
  const needsValue = type === undefined || type === '1' || type === '1C';
  const isEmptyAllowed = type === '2' || type === '2C';
  // A sequence of Type 3 must have an item where it is present.
  const emptied = isSequence && type === '3' ? 'X' : 'Z';
  switch (code) {
    case 'Z/D':
      return needsValue ? 'D' : 'Z';
    case 'X/Z/D':
      return needsValue ? 'D' : emptied;
    case 'X/Z':
      return emptied;
    case 'X/D':
      return needsValue ? 'D' : isEmptyAllowed ? 'Z' : 'X';
    case 'X/Z/U*':
      return 'U';
    case 'X':
      return isEmptyAllowed ? 'Z' : 'X';
    default:
      return code;
  }
}

export const DUMMY_NAME = 'ANONYMOUS';
export const DUMMY_TEXT = 'REMOVED';

const DUMMY_TEXTS: Readonly<Partial<Record<Vr, string>>> = {
  AS: '000Y',
  DA: '19000101',
  DS: '0',
  DT: '19000101000000',
  IS: '0',
  PN: DUMMY_NAME,
  TM: '000000',
  UI: '2.25.0',
};

/** One value of the VR, not padded, the same in both byte orders. Sequences have none: their items are walked. */
export function dummyValue(vr: Vr): Uint8Array {
  if (VRS[vr].text) return encodeText(DUMMY_TEXTS[vr] ?? DUMMY_TEXT, vr);
  return new Uint8Array(vr === 'AT' ? 4 : Math.max(2, VRS[vr].unitBytes));
}
