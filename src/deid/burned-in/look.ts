/**
 * Looks at the frames of an image for text. The first frame is looked at whole (or, where text is merely possible, where
 * there are steps that letters could be made of); of each further frame only what has gained such steps, and every so
 * many frames the whole again. What was found in one frame is taken as there in all of them: what moves is covered
 * wherever it was seen, and a clock that changes its digits in place stays covered.
 */
import type { Part10File } from '../../dicom/part10.ts';
import { openImage } from '../../imaging/image.ts';
import { type Palette, readPalette } from '../../imaging/palette.ts';
import { clipRect, type FrameRect, type Rect, rectsOfFrame } from '../../imaging/redact/rect.ts';
import type { TextDetector } from '../../text-detection/detector.ts';
import type { Box, Picture } from '../../text-detection/picture.ts';
import { changedBlocks, type Ink, inkedBlocks, inkOf, regionsOf } from './ink.ts';
import { type JudgeOptions, judge } from './judge.ts';
import { viewOf } from './view.ts';

export interface LookOptions extends Pick<JudgeOptions, 'redact' | 'isKnown'> {
  readonly detector: TextDetector;
  /** Blanked already, or about to be. */
  readonly blanked: readonly FrameRect[];
  /** `letters`: only where there are steps that letters could be made of. */
  readonly where: 'everywhere' | 'letters';
  /** Called before each frame. */
  readonly onProgress?: (() => void) | undefined;
}

export interface Sight {
  /** Text that must go, on all frames. */
  readonly text: readonly Rect[];
  readonly doubtful: readonly Rect[];
  /** Of the text: what names somebody known. */
  readonly known: readonly Rect[];
}

/** A frame among so many is looked at whole, whatever changed. */
const WHOLE_EVERY = 50;
/** Noise beyond which steps do not tell letters from tissue. */
const QUIET_NOISE_MAX = 6;
/** After blanking what was found, so many times more: a second line under the first is read better alone. */
const LOOKS_MAX = 3;

/** @throws IMAGING_* where a frame cannot be decoded, TEXT_DETECTION_FAILED */
export async function lookForText(part10: Part10File, options: LookOptions): Promise<Sight> {
  const image = await openImage(part10);
  const text: Rect[] = [];
  const doubtful: Rect[] = [];
  const known: Rect[] = [];
  let palette: Palette | undefined;
  let most: Uint16Array | undefined;
  for (let frame = 0; frame < image.frameCount; frame++) {
    options.onProgress?.();
    const decoded = image.decode(frame);
    if (decoded.photometric === 'PALETTE COLOR')
      palette ??= readPalette(part10.source, part10.dataSet, image.description.signed);
    const view = ownView(viewOf(decoded, palette), decoded.samples);
    for (const rect of [...rectsOfFrame(options.blanked, frame, image.description), ...text]) paint(view, rect);
    const ink = inkOf(view);
    most ??= new Uint16Array(ink.steps.length);
    const changed = changedBlocks(ink, most);
    const isWhole = frame % WHOLE_EVERY === 0 || frame === image.frameCount - 1;
    const regions = isWhole ? wholeOrInked(view, ink, options.where) : regionsOf(changed, ink, view);
    for (const region of regions) await lookAt(view, region, { ...options, text, doubtful, known });
  }
  // A doubt beside text that is blanked is gone, or stays doubtful for the second look.
  return { text, known, doubtful: doubtful.filter((rect) => !text.some((other) => covers(other, rect))) };
}

function wholeOrInked(view: Picture, ink: Ink, where: LookOptions['where']): Box[] {
  const whole = { x: 0, y: 0, width: view.width, height: view.height };
  return where === 'everywhere' || ink.noise > QUIET_NOISE_MAX ? [whole] : regionsOf(inkedBlocks(ink), ink, view);
}

async function lookAt(
  view: Picture,
  region: Box,
  { detector, redact, isKnown, text, doubtful, known }: LookOptions & { text: Rect[]; doubtful: Rect[]; known: Rect[] },
): Promise<void> {
  for (let looks = 0; looks < LOOKS_MAX; looks++) {
    const lines = await detector.detect(view, region);
    const found = judge(lines, { redact, isKnown, inCompany: text.length > 0 });
    doubtful.push(...found.doubtful);
    known.push(...found.known);
    if (found.text.length === 0) return;
    text.push(...found.text);
    for (const rect of found.text) paint(view, rect);
  }
}

/** A view that may be painted over: not the frame's own bytes. */
function ownView(view: Picture, samples: ArrayLike<number>): Picture {
  return (view.pixels as ArrayLike<number>) === samples ? { ...view, pixels: view.pixels.slice() } : view;
}

/** Black, as blanking leaves it. */
function paint({ pixels, width, height, channels }: Picture, rect: Rect): void {
  const inside = clipRect(rect, { rows: height, columns: width });
  if (inside === undefined) return;
  for (let y = inside.y; y < inside.y + inside.height; y++) {
    const start = (y * width + inside.x) * channels;
    pixels.fill(0, start, start + inside.width * channels);
  }
}

function covers(outer: Rect, inner: Rect): boolean {
  return (
    outer.x <= inner.x &&
    outer.y <= inner.y &&
    outer.x + outer.width >= inner.x + inner.width &&
    outer.y + outer.height >= inner.y + inner.height
  );
}
