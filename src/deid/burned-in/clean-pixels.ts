/**
 * What is done about text in the pixels of one instance before anything else happens to it: triage, then blanking where
 * it is known what to blank, else held. The decision and its reason go on record either way.
 *
 * Text detection is not part of this: where only looking at the pixels could tell (`scan`), the policy says whether
 * such an instance is held (the default) or let through. Images whose pixels stay still lose what hides in bits of
 * their cells that hold no pixel.
 *
 * API: `cleanPixels(part10, policy)` gives the decision, its reason, and replacements for `deidentify`.
 */
import type { ErrorCode } from '../../core/errors.ts';
import type { Part10File } from '../../dicom/part10.ts';
import { describeImage, hasImage } from '../../imaging/image-description.ts';
import { complementOf } from '../../imaging/redact/rect.ts';
import { clearHiddenBits, redactPixels } from '../../imaging/redact/redact-pixels.ts';
import type { PixelReplacements } from '../../imaging/redact/replacement.ts';
import { triage } from './triage.ts';

export interface PixelPolicy {
  readonly whenUnscanned: 'hold' | 'pass';
}

export interface CleanedPixels {
  readonly decision: 'clean' | 'redacted' | 'passed' | 'held';
  readonly reason: string;
  readonly replacements?: PixelReplacements;
  readonly held?: ErrorCode;
}

/** @throws IMAGING_* where there is something to blank and the pixels cannot be read */
export async function cleanPixels(part10: Part10File, policy: PixelPolicy): Promise<CleanedPixels> {
  if (!hasImage(part10.dataSet)) return { decision: 'clean', reason: 'no pixel data' };
  const found = triage(part10.dataSet);
  switch (found.kind) {
    case 'clean':
      return untouched(part10, 'clean', found.reason);
    case 'suspect':
      return held(found.reason);
    case 'scan':
      return policy.whenUnscanned === 'pass'
        ? untouched(part10, 'passed', `${found.reason}, not scanned by policy`)
        : held(found.reason);
    case 'regions': {
      const outside =
        found.keep.length === 0 ? [] : complementOf(found.keep, describeImage(part10.dataSet, part10.transferSyntax));
      const replacements = await redactPixels(part10, [...found.blank, ...outside]);
      // Regions that leave nothing to blank say nothing of where the text is.
      return replacements === undefined
        ? held(`${found.reason}: nothing to blank`)
        : { decision: 'redacted', reason: found.reason, replacements };
    }
  }
}

/** Pixels stay; bits of their cells that hold none are cleared, since they may hold a bitmap. */
async function untouched(part10: Part10File, decision: 'clean' | 'passed', reason: string): Promise<CleanedPixels> {
  const replacements = await clearHiddenBits(part10);
  return replacements === undefined ? { decision, reason } : { decision, reason, replacements };
}

function held(reason: string): CleanedPixels {
  return { decision: 'held', reason, held: 'DEID_BURNED_IN_SUSPECT' };
}
