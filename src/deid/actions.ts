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
 * Settles a choice by the attribute's Type; the condition of Types 1C and 2C is taken as met, since the attribute is
 * there. Where the Type is not known the choice that is valid with any Type is taken: a dummy, mapped UIDs, for a sequence
 * removal. An empty value is preferred to removal, as it leaves no more and editions of PS3.3 have made Type 3
 * attributes Type 2. X of an attribute that the IOD cannot do without is carried out as Z or D.
 */
export function settle(code: ActionCode, type: AttributeType | undefined, isSequence = false): Action {
  const isUnknown = type === undefined;
  const needsValue = type === '1' || type === '1C';
  const mayBeEmpty = type === '2' || type === '2C';
  // A sequence of Type 3 has an item where it is present.
  const emptied = isSequence && !mayBeEmpty ? 'X' : 'Z';
  switch (code) {
    case 'Z/D':
      return needsValue || isUnknown ? 'D' : 'Z';
    case 'X/Z/D':
      return needsValue || isUnknown ? 'D' : emptied;
    case 'X/Z':
      return emptied;
    case 'X/D':
      return needsValue || isUnknown ? 'D' : mayBeEmpty ? 'Z' : 'X';
    case 'X/Z/U*':
      return 'U';
    case 'X':
      return type === '1' ? 'D' : mayBeEmpty ? 'Z' : 'X';
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
