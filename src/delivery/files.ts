/**
 * An instance as files in a tree, for destinations that are one: `<study>/<series>/<instance>.dcm`, and the rendered
 * images by their own UID. The DICOM file comes last: where it is, its images are. Pure.
 */
import { dicomFileOf, type PreparedManifest } from './destination.ts';

export type Contents = 'dicom' | 'images' | 'all';

export interface TreeFile {
  /** Its name among the prepared files. */
  readonly file: string;
  /** Relative, with slashes. */
  readonly path: string;
  readonly mediaType: string;
}

const UID = /^[0-9]+(\.[0-9]+)*$/;

/**
 * Undefined when an identifier is not a UID: as part of a path it could lead anywhere.
 * @throws SPOOL_CORRUPT where the DICOM file is wanted and was not prepared
 */
export function filesOf(manifest: PreparedManifest, contents: Contents): TreeFile[] | undefined {
  const { studyInstanceUid, seriesInstanceUid, sopInstanceUid, images } = manifest;
  const uids = [studyInstanceUid, seriesInstanceUid, sopInstanceUid, ...images.map((image) => image.imageInstanceUid)];
  if (!uids.every((uid) => UID.test(uid))) return undefined;
  const folder = `${studyInstanceUid}/${seriesInstanceUid}`;
  const pictures = images.map(({ file, imageInstanceUid, mediaType }) => {
    const extension = mediaType === 'image/png' ? 'png' : 'jpg';
    return { file, path: `${folder}/${imageInstanceUid}.${extension}`, mediaType };
  });
  if (contents === 'images') return pictures;
  const dicom = {
    file: dicomFileOf(manifest),
    path: `${folder}/${sopInstanceUid}.dcm`,
    mediaType: 'application/dicom',
  };
  return [...(contents === 'dicom' ? [] : pictures), dicom];
}
