/**
 * Transfer syntaxes: PS3.6 Table A-1, with what PS3.5 §8, §10 and Annex A say of each: how the data set is encoded and
 * which family of codec its pixel data asks for. Retired ones are listed too: PACS archives still hold them.
 */
import { registeredUids } from './uids.ts';

export type TransferSyntaxFamily =
  | 'native'
  | 'deflated'
  | 'rle'
  | 'jpeg-baseline'
  | 'jpeg-extended'
  | 'jpeg-lossless'
  | 'jpeg-ls'
  | 'jpeg-2000'
  | 'htj2k'
  | 'jpeg-xl'
  | 'mpeg-2'
  | 'h264'
  | 'hevc'
  | 'encapsulated-uncompressed'
  | 'deflated-frame'
  | 'jpip'
  | 'other';

export interface TransferSyntax {
  readonly uid: string;
  readonly name: string;
  readonly explicitVr: boolean;
  readonly littleEndian: boolean;
  /** The whole data set is one deflated stream (RFC 1951), PS3.5 A.5. */
  readonly deflated: boolean;
  /** Pixel Data at the top level is a sequence of fragments, PS3.5 A.4. */
  readonly encapsulated: boolean;
  /** The coding may lose information (it need not: some carry both). */
  readonly lossy: boolean;
  readonly family: TransferSyntaxFamily;
}

export const IMPLICIT_VR_LITTLE_ENDIAN = '1.2.840.10008.1.2';
export const EXPLICIT_VR_LITTLE_ENDIAN = '1.2.840.10008.1.2.1';
export const DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN = '1.2.840.10008.1.2.1.99';
export const EXPLICIT_VR_BIG_ENDIAN = '1.2.840.10008.1.2.2';

const ROOT = '1.2.840.10008.1.2.';
const JPEG = (process: string): string => `${ROOT}4.${process}`;

/** Families of encapsulated syntaxes by what follows `1.2.840.10008.1.2.`; `lossy` as PS3.5 Annex A describes them. */
const ENCAPSULATED: readonly (readonly [family: TransferSyntaxFamily, lossy: boolean, uids: readonly string[]])[] = [
  ['encapsulated-uncompressed', false, [`${ROOT}1.98`]], // A.4.11
  ['rle', false, [`${ROOT}5`]], // A.4.2, Annex G
  ['jpeg-baseline', true, [JPEG('50')]], // A.4.1
  ['jpeg-extended', true, ['51', '52', '53', '54', '55', '56', '59', '60', '61', '62', '63', '64'].map(JPEG)],
  ['jpeg-lossless', false, ['57', '58', '65', '66', '70'].map(JPEG)],
  ['jpeg-ls', false, [JPEG('80')]], // A.4.3
  ['jpeg-ls', true, [JPEG('81')]],
  ['jpeg-2000', false, ['90', '92'].map(JPEG)], // A.4.4
  ['jpeg-2000', true, ['91', '93'].map(JPEG)],
  ['mpeg-2', true, ['100', '100.1', '101', '101.1'].map(JPEG)], // A.4.5
  ['h264', true, ['102', '102.1', '103', '103.1', '104', '104.1', '105', '105.1', '106', '106.1'].map(JPEG)], // A.4.6
  ['hevc', true, ['107', '108'].map(JPEG)], // A.4.9
  ['jpeg-xl', false, [JPEG('110')]], // A.4.12
  ['jpeg-xl', true, ['111', '112'].map(JPEG)],
  ['htj2k', false, ['201', '202'].map(JPEG)], // A.4.10
  ['htj2k', true, [JPEG('203')]],
  ['deflated-frame', false, [`${ROOT}8.1`]], // A.4.13
];

/** Pixel data is elsewhere (A.6, A.7, A.9), or it is no file of pixels at all (A.4.x of ST 2110, MIME, XML). */
const PROVIDED: readonly (readonly [family: TransferSyntaxFamily, deflated: boolean, uids: readonly string[]])[] = [
  ['jpip', false, ['94', '204'].map(JPEG)],
  ['jpip', true, ['95', '205'].map(JPEG)],
  ['other', false, ['6.1', '6.2', '7.1', '7.2', '7.3'].map((suffix) => ROOT + suffix)],
];

function entry(uid: string, shape: Partial<TransferSyntax> & Pick<TransferSyntax, 'family'>): [string, TransferSyntax] {
  const name = registeredUids().get(uid)?.name ?? uid;
  const plain = { uid, name, explicitVr: true, littleEndian: true, deflated: false, encapsulated: false, lossy: false };
  return [uid, { ...plain, ...shape }];
}

/** PS3.6 Table A-1, the rows of type "Transfer Syntax". */
export const TRANSFER_SYNTAXES: ReadonlyMap<string, TransferSyntax> = new Map([
  entry(IMPLICIT_VR_LITTLE_ENDIAN, { family: 'native', explicitVr: false }), // A.1
  entry(EXPLICIT_VR_LITTLE_ENDIAN, { family: 'native' }), // A.2
  entry(EXPLICIT_VR_BIG_ENDIAN, { family: 'native', littleEndian: false }), // A.3, retired
  entry(DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, { family: 'deflated', deflated: true }), // A.5
  entry('1.2.840.10008.1.20', { family: 'native', explicitVr: false }), // Papyrus 3, retired
  ...ENCAPSULATED.flatMap(([family, lossy, uids]) =>
    uids.map((uid) => entry(uid, { family, lossy, encapsulated: true })),
  ),
  ...PROVIDED.flatMap(([family, deflated, uids]) => uids.map((uid) => entry(uid, { family, deflated }))),
]);

/** Undefined for private syntaxes and for those of later editions: such a data set cannot be read with certainty. */
export function transferSyntaxOf(uid: string): TransferSyntax | undefined {
  return TRANSFER_SYNTAXES.get(uid);
}
