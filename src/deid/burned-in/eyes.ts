/** Brings together who looks at one instance and what is known of it. */
import type { DataSet } from '../../dicom/data-set.ts';
import type { TextDetector } from '../../text-detection/detector.ts';
import { identityOf } from '../instance.ts';
import type { CompiledProfile } from '../profile.ts';
import type { Eyes } from './clean-pixels.ts';
import { identityMatcher } from './reading.ts';

/** Undefined where nobody looks. What is known is collected when the first line was read: most instances have none. */
export function eyesFor(
  detector: TextDetector | undefined,
  dataSet: DataSet,
  profileOf: () => CompiledProfile,
  onProgress?: () => void,
): Eyes | undefined {
  if (detector === undefined) return undefined;
  const profile = profileOf();
  let matches: ((text: string) => boolean) | undefined;
  const isKnown = (text: string): boolean => {
    matches ??= identityMatcher(identityOf(dataSet, profile));
    return matches(text);
  };
  return { detector, redact: profile.redact, isKnown, ...(onProgress === undefined ? {} : { onProgress }) };
}
