/**
 * Instances that the listener stored although their command and their data set disagree (`dicom.validation` other than
 * `refuse`) are held: somebody has to say whose they are. The command's UIDs stand in the file meta information that the
 * listener wrote; that of files from elsewhere is not ours, and proves nothing.
 */
import { LetheError } from '../core/errors.ts';
import type { Part10File } from '../dicom/part10.ts';
import type { ProcessJob } from './process-job.ts';

const PAIRS = [
  { meta: 0x00020002, tag: 0x00080016 },
  { meta: 0x00020003, tag: 0x00080018 },
] as const;
const MEDIA_STORAGE_SOP_INSTANCE_UID = 0x00020003;
const UID_CHARACTERS = /^[0-9.]{1,64}$/;

/** @throws DIMSE_SOP_CLASS_MISMATCH, DIMSE_INVALID_UID */
export function verifyCustody({ fileMeta, dataSet }: Part10File, { sourceKind }: Pick<ProcessJob, 'sourceKind'>): void {
  if (sourceKind !== 'dicom') return;
  for (const { meta, tag } of PAIRS) {
    const found = dataSet.string(tag) ?? '';
    if (found !== '' && found !== (fileMeta.string(meta) ?? ''))
      throw new LetheError('DIMSE_SOP_CLASS_MISMATCH', { tag });
  }
  if (!UID_CHARACTERS.test(fileMeta.string(MEDIA_STORAGE_SOP_INSTANCE_UID) ?? ''))
    throw new LetheError('DIMSE_INVALID_UID');
}
