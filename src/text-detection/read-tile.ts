/**
 * The text lines of one tile: the detector marks where lines may be, the recogniser reads each of them both upright and,
 * where a box is tall, turned by a quarter either way. A box that cannot be read comes back too, with what little was read
 * and its score: what it means is for whoever asked to decide.
 */

import { type Look, looksOf, NOISE_MAX } from './looks.ts';
import { type Normalisation, networkInput } from './network-input.ts';
import { highestNoiseOf, smoothed } from './noise.ts';
import { type Box, cropped, overlap, type Picture, quarterTurned } from './picture.ts';
import { boxesOfMap, MAP_LIMITS, type MarkedBox } from './text-map.ts';
import { type Transcript, transcriptOf } from './transcript.ts';

export interface TextLine {
  readonly box: Box;
  /** As read; a name or a date may be in it: never into a log. */
  readonly text: string;
  /** Of the reading, from 0 to 1. */
  readonly confidence: number;
  /** Of the detector, from 0 to 1. */
  readonly score: number;
}

/** Inference alone: planes in, numbers out. */
export interface Networks {
  /** Probability of text for every pixel. */
  detect(planes: Float32Array, width: number, height: number): Promise<Float32Array>;
  /** Probabilities of steps × classes for one line of 48 rows. */
  recognise(planes: Float32Array, width: number): Promise<{ probabilities: Float32Array; classes: number }>;
  readonly characters: readonly string[];
}

/** The networks' own, from their training (PP-OCRv4). */
const DETECTOR_INPUT: Normalisation = { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] };
const RECOGNISER_INPUT: Normalisation = { mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, 0.5] };
const DETECTOR_UNIT = 32;
const LINE_ROWS = 48;
const LINE_COLUMNS_MIN = 32;
const LINE_COLUMNS_MAX = 1600;
/** Taller than this many times its width: text that runs up or down. */
const TALL = 1.5;
/** A tile of noise must not take minutes: so many lines are read of what the detector is sure of, and of the rest. */
const SURE_SCORE = 0.8;
const SURE_LINES_MAX = 256;
const OTHER_LINES_MAX = 48;
/** Noise is marked all over: where so many of the likeliest say nothing, the others are not asked. */
const VAIN_LINES_MAX = 5;
const LEGIBLE_CHARACTERS_MIN = 2;
const LEGIBLE_CONFIDENCE_MIN = 0.5;
/** A line of three letters is longer than high; specks of noise are not. */
const LONG = 4;
/** Three characters read as surely as that were never read where there are none. */
const READ_CHARACTERS_MIN = 3;
const READ_CONFIDENCE_MIN = 0.7;
/** A share of a box from which on it was read already. */
const SAME = 0.9;

/** @param effort pixels the detector may see for each of the picture's */
export async function readTile(picture: Picture, effort: number, networks: Networks): Promise<TextLine[]> {
  const noise = highestNoiseOf(picture);
  const vainMax = noise > NOISE_MAX ? VAIN_LINES_MAX : Number.POSITIVE_INFINITY;
  const lines: TextLine[] = [];
  let smooth: Picture | undefined;
  for (const look of looksOf(effort, noise)) {
    if (look.isSmoothed) smooth ??= smoothed(picture);
    const seen = (look.isSmoothed ? smooth : undefined) ?? picture;
    lines.push(...(await readOnce(seen, { look, before: lines, vainMax }, networks)));
  }
  return lines;
}

/**
 * @param before what earlier looks have read
 * @param vainMax how many lines may turn out illegible before any is legible
 */
async function readOnce(
  picture: Picture,
  { look, before, vainMax }: { look: Look; before: readonly TextLine[]; vainMax: number },
  networks: Networks,
): Promise<TextLine[]> {
  const read = before.filter(
    ({ text, confidence }) => text.length >= READ_CHARACTERS_MIN && confidence >= READ_CONFIDENCE_MIN,
  );
  const marked = (await markedBoxes(picture, look, networks))
    .filter((box) => !read.some((line) => overlap(line.box, box) >= SAME * box.width * box.height))
    .sort((a, b) => likelihood(b) - likelihood(a));
  const sure = marked.filter(({ score }) => score >= SURE_SCORE);
  const others = marked.filter(({ score }) => score < SURE_SCORE);
  const lines: TextLine[] = [];
  let isLegible = false;
  for (const { score, ...box } of [...sure.slice(0, SURE_LINES_MAX), ...others.slice(0, OTHER_LINES_MAX)]) {
    if (!isLegible && lines.length >= vainMax) break;
    const { text, confidence } = await readBox(cropped(picture, box), networks);
    lines.push({ box, score, text, confidence });
    isLegible ||= text.length >= LEGIBLE_CHARACTERS_MIN && confidence >= LEGIBLE_CONFIDENCE_MIN;
  }
  return lines;
}

function likelihood({ width, height, score }: MarkedBox): number {
  return score * Math.min(LONG, Math.max(width, height) / Math.min(width, height));
}

async function markedBoxes(picture: Picture, { scale, isTurned }: Look, networks: Networks): Promise<MarkedBox[]> {
  const seen = isTurned ? quarterTurned(picture, 'clockwise') : picture;
  const content = { width: Math.round(seen.width * scale), height: Math.round(seen.height * scale) };
  const size = { width: roundedUp(content.width), height: roundedUp(content.height) };
  const planes = networkInput(seen, content, size, DETECTOR_INPUT);
  const map = await networks.detect(planes.values, size.width, size.height);
  return boxesOfMap(map, size, MAP_LIMITS)
    .map((box) => ({ ...inPicture(box, scale, seen), score: box.score }))
    .filter((box) => box.width > 0 && box.height > 0)
    .map((box) => (isTurned ? turnedBack(box, picture.height) : box));
}

/** From a picture turned clockwise to the one before, which had so many rows. */
function turnedBack({ x, y, width, height, score }: MarkedBox, rows: number): MarkedBox {
  return { x: y, y: rows - x - width, width: height, height: width, score };
}

async function readBox(part: Picture, networks: Networks): Promise<Transcript> {
  if (part.height <= part.width * TALL) return readLine(part, networks);
  const up = await readLine(quarterTurned(part, 'clockwise'), networks);
  const down = await readLine(quarterTurned(part, 'counterclockwise'), networks);
  return up.confidence >= down.confidence ? up : down;
}

async function readLine(line: Picture, networks: Networks): Promise<Transcript> {
  const wanted = Math.round((line.width * LINE_ROWS) / line.height);
  const width = Math.max(LINE_COLUMNS_MIN, Math.min(LINE_COLUMNS_MAX, wanted));
  const size = { width, height: LINE_ROWS };
  const content = { width: Math.max(1, Math.min(wanted, width)), height: LINE_ROWS };
  const { values } = networkInput(line, content, size, RECOGNISER_INPUT);
  const { probabilities, classes } = await networks.recognise(values, width);
  return transcriptOf(probabilities, classes, networks.characters);
}

function inPicture(box: MarkedBox, scale: number, { width, height }: Picture): Box {
  const x = Math.max(0, Math.floor(box.x / scale));
  const y = Math.max(0, Math.floor(box.y / scale));
  return {
    x,
    y,
    width: Math.min(width, Math.ceil((box.x + box.width) / scale)) - x,
    height: Math.min(height, Math.ceil((box.y + box.height) / scale)) - y,
  };
}

function roundedUp(length: number): number {
  return Math.max(DETECTOR_UNIT, Math.ceil(length / DETECTOR_UNIT) * DETECTOR_UNIT);
}
