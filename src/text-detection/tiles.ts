/**
 * How a picture is looked at: scaled up as far as its size allows and cut into tiles of about a megapixel, overlapping so
 * that a line that a cut goes through is whole in one of them or found in parts on both sides. Pure.
 */
import { type Box, overlap } from './picture.ts';
import type { TextLine } from './read-tile.ts';

/** Longest side of a scaled tile: with 1280 × 1280 the detector needs about half a gigabyte. */
const TILE_SIDE_MAX = 1280;
/** In pixels of the picture: more than the highest line. */
const OVERLAP = 56;

/** Tiles that cover the box, in rows. */
export function tilesOf(box: Box, scale: number): Box[] {
  const side = Math.floor(TILE_SIDE_MAX / scale);
  const columns = piecesOf(box.x, box.width, side);
  return piecesOf(box.y, box.height, side).flatMap((row) =>
    columns.map((column) => ({ x: column.start, y: row.start, width: column.length, height: row.length })),
  );
}

function piecesOf(start: number, length: number, side: number): { start: number; length: number }[] {
  if (length <= side) return [{ start, length }];
  const count = Math.ceil((length - OVERLAP) / (side - OVERLAP));
  const piece = Math.ceil((length + (count - 1) * OVERLAP) / count);
  return Array.from({ length: count }, (_, index) => ({
    start: start + Math.min(index * (piece - OVERLAP), length - piece),
    length: piece,
  }));
}

/** A share of a box from which on another one says the same. */
const SAME = 0.9;

/** Without lines that lie inside of a better read one: tiles overlap, and a noisy tile is looked at twice. */
export function withoutRepetitions(lines: readonly TextLine[]): TextLine[] {
  const kept: TextLine[] = [];
  for (const line of [...lines].sort((a, b) => worth(b) - worth(a))) {
    const area = line.box.width * line.box.height;
    if (!kept.some((other) => overlap(line.box, other.box) >= SAME * area)) kept.push(line);
  }
  return kept;
}

/** What was read surely, and of that the longest. */
function worth({ text, confidence, score }: TextLine): number {
  return confidence * Math.min(20, text.length) + score;
}
