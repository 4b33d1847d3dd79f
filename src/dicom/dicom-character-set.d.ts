/** The one function that charset.ts uses of dicom-character-set 1.0.5, which brings no types. */
declare module 'dicom-character-set' {
  /** `specificCharacterSet`: the values of (0008,0005) joined by backslashes. Throws on terms or escapes it does not know. */
  export function convertBytes(specificCharacterSet: string, bytes: Uint8Array, options?: { vr?: string }): string;
}
