/**
 * Evidence before effort: which instances may show identifying text in their pixels, decided from the header alone and
 * always with a reason (PS3.15 §E.3.1, "Clean Pixel Data"). Pure, well under a millisecond.
 *
 * Order of evidence: slide labels, known equipment regions together with the Sequence of Ultrasound Regions (0018,6011),
 * Burned In Annotation (0028,0301), then what kind of object it is. Slices and counts that a scanner stored as its primary
 * images carry no text and are let through with that reason; projection radiographs carry some now and then, whatever
 * they say of themselves, and are looked at where that can be done; captures, screens and ultrasound always are.
 */
import type { DataSet } from '../../dicom/data-set.ts';
import { tagOfKeyword } from '../../dicom/dictionary.ts';
import type { Tag } from '../../dicom/tag.ts';
import { clipRect, complementOf, type Rect } from '../../imaging/redact/rect.ts';
import { PIXEL_REGIONS, type RegionCondition } from './pixel-regions.generated.ts';

export type Triage =
  /** Nothing points to text. */
  | { readonly kind: 'clean'; readonly reason: string }
  /** Text is in the rectangles to blank and, where there are any to keep, outside of those. */
  | {
      readonly kind: 'regions';
      readonly reason: string;
      readonly blank: readonly Rect[];
      readonly keep: readonly Rect[];
    }
  /** `likely`: look, or do not send. `possible`: once in a while there is text; look where that can be done. */
  | { readonly kind: 'scan'; readonly reason: string; readonly evidence: 'likely' | 'possible' }
  /**
   * There is text, and nothing says where. `must-find`: a look that finds none has failed; `may-find`: it may be right;
   * `useless`: handwriting and codes, which nobody here can read.
   */
  | { readonly kind: 'suspect'; readonly reason: string; readonly look: 'must-find' | 'may-find' | 'useless' };

const TAGS = {
  sopClassUid: tag('SOPClassUID'),
  imageType: tag('ImageType'),
  modality: tag('Modality'),
  conversionType: tag('ConversionType'),
  seriesDescription: tag('SeriesDescription'),
  bitsStored: tag('BitsStored'),
  samplesPerPixel: tag('SamplesPerPixel'),
  burnedInAnnotation: tag('BurnedInAnnotation'),
  ultrasoundRegions: tag('SequenceOfUltrasoundRegions'),
  minX: tag('RegionLocationMinX0'),
  minY: tag('RegionLocationMinY0'),
  rows: tag('Rows'),
  columns: tag('Columns'),
  maxX: tag('RegionLocationMaxX1'),
  maxY: tag('RegionLocationMaxY1'),
  labelInImage: tag('SpecimenLabelInImage'),
} as const;

/** More than the largest image has. */
const EVERYTHING: Rect = { x: 0, y: 0, width: 2 ** 31, height: 2 ** 31 };
const SECONDARY_CAPTURE = '1.2.840.10008.5.1.4.1.1.7';
/** Modalities whose primary images come from a detector and carry no text of their own. */
const DETECTOR_MODALITIES: ReadonlySet<string> = new Set([
  'CT',
  'MR',
  'PT',
  'NM',
  'CR',
  'DX',
  'MG',
  'IO',
  'PX',
  'RTIMAGE',
  'RTDOSE',
  'SEG',
  'OCT',
  'OPT',
  'SM',
  'DOC',
]);
/** Seen at once by one exposure: cassette readers and consoles draw names, dates and markers into some of them. */
const PROJECTIONS: ReadonlySet<string> = new Set(['CR', 'DX', 'MG', 'IO', 'PX', 'RTIMAGE']);
/** Reconstructed or counted: nobody draws into them before they leave the scanner, and there are hundreds a study. */
const SLICES: ReadonlySet<string> = new Set(['CT', 'MR', 'PT', 'NM', 'RTDOSE', 'SEG', 'SM', 'OCT', 'OPT']);
/** Scanners store these with 10 bits and more; with fewer it is a window of somebody's screen. */
const WIDE_VALUES: ReadonlySet<string> = new Set(['CT', 'MR']);
const WIDE_BITS = 9;
const ULTRASOUND: ReadonlySet<string> = new Set(['US', 'IVUS', 'BDUS', 'ECHO']);
/** Conversion Type (0008,0064), PS3.3 C.8.6.1: what was filmed, scanned or drawn rather than acquired. */
const CAPTURED: ReadonlySet<string> = new Set(['DV', 'DI', 'DF', 'SD', 'SI', 'DRW', 'SYN']);
/** Image Type of pages and screens. */
const SCREEN = /SCREEN|CAPTURE|SAVE|REPORT|PROTOCOL|DOSE|DEMOGRAPHIC/i;
/** Series Description that consoles give to series of pages. */
const PAGES = /patient protocol|dose (report|info|summary)|screen ?(save|shot|capture)|nomination form|exam summary/i;
/** Detectors whose images are shades of grey: what comes in colour was drawn by a workstation. */
const GREY_DETECTORS: ReadonlySet<string> = new Set(['CT', 'MR', 'PT', 'NM', 'CR', 'DX', 'MG', 'IO', 'PX', 'RTIMAGE']);

export function triage(dataSet: DataSet): Triage {
  return bySlideLabel(dataSet) ?? byRegions(dataSet) ?? byAnnotation(dataSet) ?? byKind(dataSet);
}

/** PS3.3 §C.8.12.4.1.1: the label of a slide, and the overview that may show it, are all text. */
function bySlideLabel(dataSet: DataSet): Triage | undefined {
  const flavour = dataSet.strings(TAGS.imageType)[2]?.toUpperCase();
  if (flavour === 'LABEL' && dataSet.string(TAGS.modality) === 'SM')
    return { kind: 'regions', reason: 'label of a slide', blank: [EVERYTHING], keep: [] };
  const mayShowLabel = flavour === 'OVERVIEW' && dataSet.string(TAGS.labelInImage)?.toUpperCase() !== 'NO';
  return mayShowLabel
    ? { kind: 'suspect', reason: 'overview of a slide that may show its label', look: 'useless' }
    : undefined;
}

function byRegions(dataSet: DataSet): Triage | undefined {
  const { blank, labels } = equipmentRegions(dataSet);
  const keep = ultrasoundRegions(dataSet);
  if (!leavesSomethingToBlank(dataSet, blank, keep)) return undefined;
  const reasons = [
    ...(blank.length === 0 ? [] : [`equipment rule: ${labels.join('; ')}`]),
    ...(keep.length === 0 ? [] : ['Sequence of Ultrasound Regions']),
  ];
  return { kind: 'regions', reason: reasons.join(' and '), blank, keep };
}

/** Regions that are the whole image say nothing of where text is. */
function leavesSomethingToBlank(dataSet: DataSet, blank: readonly Rect[], keep: readonly Rect[]): boolean {
  const extent = { rows: dataSet.number(TAGS.rows) ?? 0, columns: dataSet.number(TAGS.columns) ?? 0 };
  const outside = keep.length === 0 ? [] : complementOf(keep, extent);
  return [...blank, ...outside].some((rect) => clipRect(rect, extent) !== undefined);
}

function equipmentRegions(dataSet: DataSet): { blank: Rect[]; labels: string[] } {
  // Both sources have many rules in common.
  const blank = new Map<string, Rect>();
  const labels = new Set<string>();
  const values = new ComparedValues(dataSet);
  for (const [when, rects, label] of PIXEL_REGIONS) {
    if (!holds(when, values)) continue;
    labels.add(label);
    for (const [x, y, width, height] of rects) blank.set([x, y, width, height].join(), { x, y, width, height });
  }
  return { blank: [...blank.values()], labels: [...labels] };
}

function holds(condition: RegionCondition, values: ComparedValues): boolean {
  const [head, second, third] = condition;
  if (head === 'not') return !holds(second as RegionCondition, values);
  if (head === 'all' || head === 'any') {
    for (let index = 1; index < condition.length; index++)
      if (holds(condition[index] as RegionCondition, values) !== (head === 'all')) return head === 'any';
    return head === 'all';
  }
  return compare(values.of(head as Tag), second as string, third as string);
}

/** As the sources compare: against the value as one text, several values joined by backslashes. */
interface Compared {
  readonly isMissing: boolean;
  readonly text: string;
  readonly lower: string;
}

/** Hundreds of rules ask for the same few attributes: each is read once an instance. */
class ComparedValues {
  readonly #dataSet: DataSet;
  readonly #values = new Map<Tag, Compared>();

  constructor(dataSet: DataSet) {
    this.#dataSet = dataSet;
  }

  of(wanted: Tag): Compared {
    const known = this.#values.get(wanted);
    if (known !== undefined) return known;
    const text = this.#dataSet.strings(wanted).join('\\');
    const value = { isMissing: !this.#dataSet.has(wanted), text, lower: text.toLowerCase() };
    this.#values.set(wanted, value);
    return value;
  }
}

function compare({ isMissing, text, lower }: Compared, op: string, value: string): boolean {
  switch (op) {
    case 'missing':
      return isMissing;
    case 'empty':
      return text === '';
    case 'equals':
      return lower === value.toLowerCase();
    case 'contains':
      return text.includes(value);
    case 'containsIgnoreCase':
      return lower.includes(value.toLowerCase());
    default:
      return false;
  }
}

/** PS3.3 §C.8.5.5: the regions are where the ultrasound data are; names and dates stand outside of them. */
function ultrasoundRegions(dataSet: DataSet): Rect[] {
  return dataSet.items(TAGS.ultrasoundRegions).flatMap((item): Rect[] => {
    const x = item.number(TAGS.minX);
    const y = item.number(TAGS.minY);
    const right = item.number(TAGS.maxX);
    const bottom = item.number(TAGS.maxY);
    if (x === undefined || y === undefined || right === undefined || bottom === undefined || right < x || bottom < y)
      return [];
    return [{ x, y, width: right - x + 1, height: bottom - y + 1 }];
  });
}

function byAnnotation(dataSet: DataSet): Triage | undefined {
  const annotation = dataSet.string(TAGS.burnedInAnnotation)?.toUpperCase();
  if (annotation === 'YES') return { kind: 'suspect', reason: 'Burned In Annotation is YES', look: 'must-find' };
  // A NO of a capture device says that nobody typed anything in; its screen may show a name all the same.
  if (annotation !== 'NO' || isCapture(dataSet)) return undefined;
  const reason = 'Burned In Annotation is NO';
  // Nor does it say that nobody else did, a film scanner or a workstation: only slices and counts are believed unseen.
  return SLICES.has(dataSet.string(TAGS.modality) ?? '') ? { kind: 'clean', reason } : possible(reason);
}

function possible(reason: string): Triage {
  return { kind: 'scan', reason, evidence: 'possible' };
}

function likely(reason: string): Triage {
  return { kind: 'scan', reason, evidence: 'likely' };
}

function byKind(dataSet: DataSet): Triage {
  const modality = dataSet.string(TAGS.modality) ?? '';
  if (ULTRASOUND.has(modality) && dataSet.items(TAGS.ultrasoundRegions).length > 0)
    return likely('ultrasound whose regions are the whole image');
  if (ULTRASOUND.has(modality)) return { kind: 'suspect', reason: 'ultrasound without regions', look: 'may-find' };
  if (isCapture(dataSet)) return likely('secondary capture or screen');
  if (GREY_DETECTORS.has(modality) && (dataSet.number(TAGS.samplesPerPixel) ?? 1) > 1)
    return likely(`colour image of modality ${modality}`);
  if (PROJECTIONS.has(modality)) return possible(`primary image of modality ${modality}`);
  if (WIDE_VALUES.has(modality) && (dataSet.number(TAGS.bitsStored) ?? WIDE_BITS) < WIDE_BITS)
    return possible(`image of modality ${modality} with the values of a screen`);
  if (DETECTOR_MODALITIES.has(modality)) return { kind: 'clean', reason: `primary image of modality ${modality}` };
  return likely('modality that is not known for images without text');
}

function isCapture(dataSet: DataSet): boolean {
  const conversion = dataSet.string(TAGS.conversionType);
  if (conversion !== undefined && CAPTURED.has(conversion)) return true;
  const imageType = dataSet.strings(TAGS.imageType);
  if (imageType.some((value) => SCREEN.test(value))) return true;
  if (PAGES.test(dataSet.string(TAGS.seriesDescription) ?? '')) return true;
  const secondary = (dataSet.string(TAGS.sopClassUid) ?? '').startsWith(SECONDARY_CAPTURE);
  // A digital detector's image that was merely wrapped as Secondary Capture (research exports do it) has a modality and
  // neither a conversion type nor a capture device.
  const wrapped = conversion === undefined || conversion === 'WSD';
  return secondary && !(wrapped && DETECTOR_MODALITIES.has(dataSet.string(TAGS.modality) ?? ''));
}

function tag(keyword: string): Tag {
  const found = tagOfKeyword(keyword);
  if (found === undefined) throw new TypeError(`no attribute ${keyword}`);
  return found;
}
