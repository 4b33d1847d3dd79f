/**
 * What is done about text in the pixels of one instance before anything else happens to it: triage, a look where the
 * evidence asks for one and there is somebody to look, blanking of what was found or is known, else held. The decision
 * and its reason go on record either way.
 *
 * Text detection is optional: without it, where only looking could tell (`scan`), the policy says whether such an instance
 * is held (the default) or let through. Images whose pixels stay still lose what hides in bits of their cells that hold no
 * pixel.
 *
 * API: `cleanPixels(part10, policy, given)` gives the decision, its reason, and replacements for `deidentify`;
 * `lookAgain(output, cleaned, given)` looks at the result (second-look.ts).
 */
import type { ErrorCode } from '../../core/errors.ts';
import type { DataSet } from '../../dicom/data-set.ts';
import type { Part10File } from '../../dicom/part10.ts';
import { describeImage, hasImage } from '../../imaging/image-description.ts';
import { clearHiddenNativeBits } from '../../imaging/redact/hidden-bits.ts';
import { clipRect, complementOf, type Rect } from '../../imaging/redact/rect.ts';
import type { PixelReplacements } from '../../imaging/redact/replacement.ts';
import type { TextDetector } from '../../text-detection/detector.ts';
import type { Redact } from './judge.ts';
import type { LookOptions, Sight } from './look.ts';
import { type Triage, triage } from './triage.ts';

export interface PixelPolicy {
  readonly whenUnscanned: 'hold' | 'pass';
}

/** Who looks, and for what. */
export interface Eyes {
  readonly detector: TextDetector;
  readonly redact: Redact;
  /** Whether a line that was read names somebody of this instance. */
  isKnown(text: string): boolean;
  readonly onProgress?: () => void;
}

export interface Given {
  /** Absent where no text detection is installed. */
  readonly eyes?: Eyes | undefined;
  /** What a person decided about this instance: just these are blanked. */
  readonly decided?: readonly Rect[] | undefined;
  /** What `triage` says of this instance, from whoever asked it before. */
  readonly triage?: Triage | undefined;
  /** Where a person found text in images of the same model and size. */
  readonly rules?: readonly SavedRule[] | undefined;
}

export interface SavedRule {
  readonly manufacturer: string;
  readonly model: string;
  readonly rows: number;
  readonly columns: number;
  readonly boxes: readonly Rect[];
}

export interface CleanedPixels {
  readonly decision: 'clean' | 'redacted' | 'passed' | 'held';
  readonly reason: string;
  readonly replacements?: PixelReplacements;
  readonly held?: ErrorCode;
  /** A rule or the instance itself says where text is: what was merely doubtful elsewhere does not hold it. */
  readonly isLocated?: true;
  /** Of what is held: what was found, for the person who decides. */
  readonly boxes?: readonly Rect[];
}

const CLEAN_PIXEL_DATA = '113101';
const UNCHANGED: PixelReplacements = { replace: new Map(), methodCodes: [] };

/** @throws IMAGING_* where there is something to blank or to look at and the pixels cannot be read */
export async function cleanPixels(part10: Part10File, policy: PixelPolicy, given: Given = {}): Promise<CleanedPixels> {
  if (!hasImage(part10.dataSet)) return { decision: 'clean', reason: 'no pixel data' };
  if (given.decided !== undefined) return asDecided(part10, given.decided);
  const found = bySavedRule(part10.dataSet, given.rules ?? []) ?? given.triage ?? triage(part10.dataSet);
  const { eyes } = given;
  if (eyes === undefined || eyes.redact === 'regions' || found.kind === 'clean' || isForPeople(found))
    return withoutLooking(part10, found, policy);
  return byLooking(part10, found, { ...eyes, redact: eyes.redact });
}

const TAGS = { manufacturer: 0x00080070, model: 0x00081090, rows: 0x00280010, columns: 0x00280011 } as const;

function bySavedRule(dataSet: DataSet, rules: readonly SavedRule[]): Triage | undefined {
  if (rules.length === 0) return undefined;
  const manufacturer = dataSet.string(TAGS.manufacturer);
  const model = dataSet.string(TAGS.model);
  const rule = rules.find(
    (one) =>
      one.manufacturer === manufacturer &&
      one.model === model &&
      one.rows === dataSet.number(TAGS.rows) &&
      one.columns === dataSet.number(TAGS.columns),
  );
  if (rule === undefined) return undefined;
  const known = triage(dataSet);
  const [blank, keep] = known.kind === 'regions' ? [known.blank, known.keep] : [[], []];
  return { kind: 'regions', reason: 'equipment rule by review', blank: [...blank, ...rule.boxes], keep };
}

function isForPeople(found: Triage): boolean {
  return found.kind === 'suspect' && found.look === 'useless';
}

/** A person's word stands: nothing else is blanked, and the second look asks for identifiers alone. */
async function asDecided(part10: Part10File, rects: readonly Rect[]): Promise<CleanedPixels> {
  const replacements = await redactPixels(part10, rects);
  const reason = `${rects.length} boxes by review`;
  return replacements === undefined
    ? untouched(part10, 'clean', 'nothing to blank by review')
    : { decision: 'redacted', reason, replacements };
}

async function withoutLooking(part10: Part10File, found: Triage, policy: PixelPolicy): Promise<CleanedPixels> {
  switch (found.kind) {
    case 'clean':
      return untouched(part10, 'clean', found.reason);
    case 'suspect':
      return held(found.reason);
    case 'scan':
      // Without eyes a mere possibility is no reason to stop every radiograph.
      if (found.evidence === 'possible') return untouched(part10, 'clean', `${found.reason}, not looked at`);
      return policy.whenUnscanned === 'pass'
        ? untouched(part10, 'passed', `${found.reason}, not scanned by policy`)
        : held(found.reason);
    case 'regions': {
      const replacements = await redactPixels(part10, rectsOf(part10, found));
      // Regions that leave nothing to blank say nothing of where the text is.
      return replacements === undefined
        ? held(`${found.reason}: nothing to blank`)
        : { decision: 'redacted', reason: found.reason, replacements };
    }
  }
}

async function byLooking(
  part10: Part10File,
  found: Exclude<Triage, { kind: 'clean' }>,
  eyes: Eyes & Pick<LookOptions, 'redact'>,
): Promise<CleanedPixels> {
  const known = found.kind === 'regions' ? rectsOf(part10, found) : [];
  const where = found.kind === 'scan' && found.evidence === 'possible' ? 'letters' : 'everywhere';
  const { lookForText } = await import('./look.ts');
  const sight = await lookForText(part10, { ...eyes, blanked: known, where });
  const isLocated = found.kind === 'regions';
  if (sight.doubtful.length > 0 && !isLocated)
    return {
      ...held(`${found.reason}, ${sight.doubtful.length} doubtful`),
      held: 'DEID_TEXT_DOUBTFUL',
      boxes: inImage(part10, [...known, ...sight.text, ...sight.doubtful]),
    };
  const replacements = await redactPixels(part10, [...known, ...sight.text]);
  const reason = `${found.reason}, ${saysOf(sight)}`;
  if (replacements !== undefined)
    return { decision: 'redacted', reason, replacements, ...(isLocated ? { isLocated } : {}) };
  if (found.kind === 'suspect' && found.look === 'must-find') return held(`${reason} although there should be`);
  const clean = await untouched(part10, 'clean', reason);
  return { ...clean, replacements: looked(clean.replacements ?? UNCHANGED) };
}

/** PS3.15 §E.3.1: looked at, and nothing there. */
function looked(replacements: PixelReplacements): PixelReplacements {
  return { ...replacements, burnedIn: 'NO', methodCodes: [...replacements.methodCodes, CLEAN_PIXEL_DATA] };
}

function saysOf({ text }: Sight): string {
  return text.length === 0 ? 'no text found' : `${text.length} boxes of text found`;
}

function rectsOf(part10: Part10File, found: Triage & { kind: 'regions' }): Rect[] {
  const outside =
    found.keep.length === 0 ? [] : complementOf(found.keep, describeImage(part10.dataSet, part10.transferSyntax));
  return [...found.blank, ...outside];
}

/** On whole pixels inside of the image, as people and the queue see them. */
export function inImage(part10: Part10File, rects: readonly Rect[]): Rect[] {
  const description = describeImage(part10.dataSet, part10.transferSyntax);
  return rects.map((rect) => clipRect(rect, description)).filter((rect) => rect !== undefined);
}

/** Pixels stay; bits of their cells that hold none are cleared, since they may hold a bitmap. */
async function untouched(part10: Part10File, decision: 'clean' | 'passed', reason: string): Promise<CleanedPixels> {
  const replacements = part10.transferSyntax.encapsulated
    ? await (await codecs()).clearHiddenBits(part10)
    : clearHiddenNativeBits(part10);
  return replacements === undefined ? { decision, reason } : { decision, reason, replacements };
}

function held(reason: string): CleanedPixels {
  return { decision: 'held', reason, held: 'DEID_BURNED_IN_SUSPECT' };
}

async function redactPixels(part10: Part10File, rects: readonly Rect[]): Promise<PixelReplacements | undefined> {
  return (await codecs()).redactPixels(part10, rects);
}

/** Most instances pass as they are, and codecs take longer to load than those to pass. */
function codecs() {
  return import('../../imaging/redact/redact-pixels.ts');
}
