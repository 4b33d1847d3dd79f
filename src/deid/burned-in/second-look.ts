/**
 * The look at the result: what was redacted is read again from the bytes that are about to leave, by the same eyes. Text
 * that is still there, or may be, holds the instance.
 */
import { LetheError } from '../../core/errors.ts';
import type { Part10File } from '../../dicom/part10.ts';
import { boxesText } from './boxes-text.ts';
import type { CleanedPixels, Given } from './clean-pixels.ts';
import { inImage } from './clean-pixels.ts';
import { lookForText } from './look.ts';

/**
 * @param output the de-identified object
 * @throws DEID_TEXT_REMAINS with the boxes, IMAGING_*, TEXT_DETECTION_FAILED
 */
export async function lookAgain(output: Part10File, cleaned: CleanedPixels, given: Given): Promise<void> {
  const { eyes, decided } = given;
  if (eyes === undefined || cleaned.decision !== 'redacted' || eyes.redact === 'regions') return;
  // What a person left is there on purpose; a name never is.
  const redact = decided === undefined ? eyes.redact : 'identifiers';
  const sight = await lookForText(output, { ...eyes, redact, blanked: [], where: 'everywhere' });
  const doubtful = cleaned.isLocated === true ? [] : sight.doubtful;
  const found = decided === undefined ? [...sight.text, ...doubtful] : sight.known;
  if (found.length > 0)
    throw new LetheError('DEID_TEXT_REMAINS', { found: found.length, boxes: boxesText(inImage(output, found)) });
}
