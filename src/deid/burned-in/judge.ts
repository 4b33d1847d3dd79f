/**
 * What is done about each line that was found: the detector alone marks a third of any image, so a line counts as text
 * only when it can be read; lines that are hardly read count in the company of one that is, or as the rest of its line; what is between the thresholds
 * is a doubt, which holds. Pure.
 */
import { type Box, overlap } from '../../text-detection/picture.ts';
import type { TextLine } from '../../text-detection/read-tile.ts';
import { isHarmless } from './reading.ts';

/** What goes: everything but harmless markings, or only what identifies as far as it can be told. */
export type Redact = 'identifiers' | 'all-text' | 'regions';

export interface JudgeOptions {
  readonly redact: Exclude<Redact, 'regions'>;
  /** Whether a line names somebody known. */
  isKnown(text: string): boolean;
  /** Text was found elsewhere in this image. */
  readonly inCompany: boolean;
}

export interface Judgement {
  /** To be blanked. */
  readonly text: readonly Box[];
  readonly doubtful: readonly Box[];
  /** Of the text: what names somebody known. */
  readonly known: readonly Box[];
}

/** Measured on text-free images, synthetic and real: nothing there was read as three characters this surely. */
const READ_CHARACTERS_MIN = 3;
const READ_CONFIDENCE_MIN = 0.7;
/** Scripts that write a name in two signs. */
const SIGNS = /[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]/gu;
const SIGNS_MIN = 2;
const SIGNS_CONFIDENCE_MIN = 0.85;
const DOUBT_CONFIDENCE_MIN = 0.55;
const COMPANY_CONFIDENCE_MIN = 0.5;
const COMPANY_SCORE_MIN = 0.6;
const REST_SCORE_MIN = 0.5;
/** Of the larger box, which both have. */
const SAME_PLACE = 0.6;
/** Between the parts of one line. */
const HEIGHTS_MAX = 1.7;
/** Pixels: what is higher and hardly read is an organ, not a letter beside others. */
const COMPANY_SIDE_MAX = 100;
/** What is kept must have been read right. */
const KEPT_CONFIDENCE_MIN = 0.9;
const HARMLESS_CONFIDENCE_MIN = 0.6;

export function judge(lines: readonly TextLine[], options: JudgeOptions): Judgement {
  const read = lines.filter((line) => isRead(line) || options.isKnown(line.text));
  const going = read.filter((line) => !mayStay(line, options));
  const inCompany = options.inCompany || going.length > 0;
  const staying = lines.filter((line) => mayStay(line, options));
  const others = lines.filter(
    (line) => !read.includes(line) && !staying.includes(line) && !staying.some((other) => isReadBetter(other, line)),
  );
  const companions = others.filter((line) => (inCompany && isCompanion(line)) || continuesOneOf(line, going));
  const doubtful = others.filter((line) => !companions.includes(line) && isDoubtful(line));
  const known = going.filter(({ text }) => options.isKnown(text));
  const boxes = [...going, ...companions].map(({ box }) => padded(box));
  return {
    text: [...boxes, ...bridges(boxes)],
    doubtful: doubtful.map(({ box }) => padded(box)),
    known: known.map(({ box }) => box),
  };
}

function isRead({ text, confidence, score }: TextLine): boolean {
  if (characters(text) >= READ_CHARACTERS_MIN && confidence >= READ_CONFIDENCE_MIN) return true;
  const signs = text.match(SIGNS)?.length ?? 0;
  return signs >= SIGNS_MIN && confidence >= SIGNS_CONFIDENCE_MIN && score >= SIGNS_CONFIDENCE_MIN;
}

function isCompanion({ box, text, confidence, score }: TextLine): boolean {
  if (Math.min(box.width, box.height) > COMPANY_SIDE_MAX) return false;
  return characters(text) >= 1 && confidence >= COMPANY_CONFIDENCE_MIN && score >= COMPANY_SCORE_MIN;
}

/** What stands on the line of one that was read, and is marked at all, is the rest of that line. */
function continuesOneOf({ box, score }: TextLine, read: readonly TextLine[]): boolean {
  return score >= REST_SCORE_MIN && read.some((other) => isOnLine(box, other.box) || isOnColumn(box, other.box));
}

function isOnColumn(a: Box, b: Box): boolean {
  return b.height > b.width && isOnLine(transposed(a), transposed(b));
}

function isOnLine(a: Box, b: Box): boolean {
  const [low, high] = a.height < b.height ? [a.height, b.height] : [b.height, a.height];
  const gap = Math.max(a.x - (b.x + b.width), b.x - (a.x + a.width));
  const common = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  return high <= HEIGHTS_MAX * low && gap <= GAP_MAX * low && common >= ALIGNED * low;
}

function isDoubtful({ text, confidence }: TextLine): boolean {
  return characters(text) >= READ_CHARACTERS_MIN && confidence >= DOUBT_CONFIDENCE_MIN;
}

/** The same place, which several looks have read. */
function isReadBetter(other: TextLine, line: TextLine): boolean {
  const larger = Math.max(other.box.width * other.box.height, line.box.width * line.box.height);
  return other.confidence > line.confidence && overlap(other.box, line.box) >= SAME_PLACE * larger;
}

function mayStay({ text, confidence }: TextLine, { redact, isKnown }: JudgeOptions): boolean {
  if (isKnown(text)) return false;
  if (confidence >= HARMLESS_CONFIDENCE_MIN && isHarmless(text)) return true;
  return redact === 'identifiers' && confidence >= KEPT_CONFIDENCE_MIN;
}

function characters(text: string): number {
  return text.match(/[\p{L}\p{N}]/gu)?.length ?? 0;
}

/** A line's letters reach a little beyond what the detector marks. */
function padded({ x, y, width, height }: Box): Box {
  const pad = 1 + Math.round(Math.min(width, height) * 0.1);
  return { x: x - pad, y: y - pad, width: width + 2 * pad, height: height + 2 * pad };
}

/** Of the line's height: what stands between two parts of one line belongs to it. */
const GAP_MAX = 2;
const ALIGNED = 0.6;

/** The gaps between boxes of one line, across and down. */
function bridges(boxes: readonly Box[]): Box[] {
  const gaps: Box[] = [];
  for (const a of boxes) {
    for (const b of boxes) {
      if (a === b) continue;
      const across = gapAcross(a, b);
      if (across !== undefined) gaps.push(across);
      const down = gapAcross(transposed(a), transposed(b));
      if (down !== undefined && a.height > a.width) gaps.push(transposed(down));
    }
  }
  return gaps;
}

function gapAcross(left: Box, right: Box): Box | undefined {
  const gap = right.x - (left.x + left.width);
  const height = Math.min(left.height, right.height);
  const top = Math.min(left.y, right.y);
  const bottom = Math.max(left.y + left.height, right.y + right.height);
  const common = Math.min(left.y + left.height, right.y + right.height) - Math.max(left.y, right.y);
  if (gap <= 0 || gap > GAP_MAX * height || common < ALIGNED * height) return undefined;
  return { x: left.x + left.width, y: top, width: gap, height: bottom - top };
}

function transposed({ x, y, width, height }: Box): Box {
  return { x: y, y: x, width: height, height: width };
}
