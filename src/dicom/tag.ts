/** Data element tags (PS3.5 §7.1) as one unsigned 32-bit number: group in the high half, element in the low. */

export type Tag = number;

export function tagOf(group: number, element: number): Tag {
  return ((group << 16) | element) >>> 0;
}

export function groupOf(tag: Tag): number {
  return tag >>> 16;
}

export function elementOf(tag: Tag): number {
  return tag & 0xffff;
}

/** `(0010,0010)`, upper-case hexadecimal. */
export function tagText(tag: Tag): string {
  const text = tagHex(tag);
  return `(${text.slice(0, 4)},${text.slice(4)})`;
}

/** `00100010`, upper-case hexadecimal, as in DICOM JSON (PS3.18 §F.2.2). */
export function tagHex(tag: Tag): string {
  return tag.toString(16).toUpperCase().padStart(8, '0');
}

/** Odd groups are private (PS3.5 §7.8); 0001, 0003, 0005, 0007 and FFFF are not allowed at all. */
export function isPrivate(tag: Tag): boolean {
  return (tag & 0x10000) !== 0;
}

/** A private creator data element (gggg,0010-00FF), PS3.5 §7.8.1. */
export function isPrivateCreator(tag: Tag): boolean {
  const element = elementOf(tag);
  return isPrivate(tag) && element >= 0x10 && element <= 0xff;
}
