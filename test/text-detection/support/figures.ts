/** Runs the detector and the judgement over generated pictures and says what was found of what is there. */
import { judge } from '../../../src/deid/burned-in/judge.ts';
import type { TextDetector } from '../../../src/text-detection/detector.ts';
import type { Box } from '../../../src/text-detection/picture.ts';
import { type Format, testPicture, type WrittenText } from './pictures.ts';

export interface Findings {
  readonly texts: readonly (WrittenText & { readonly picture: string; readonly cover: number })[];
  readonly clean: { readonly count: number; readonly alarms: number; readonly doubts: number };
  readonly pixels: number;
}

export async function findings(of: {
  seed: number;
  from: number;
  count: number;
  detector: TextDetector;
  format?: Format;
}): Promise<Findings> {
  const texts: Findings['texts'][number][] = [];
  const clean = { count: 0, alarms: 0, doubts: 0 };
  let pixels = 0;
  for (let number = of.from; number < of.from + of.count; number++) {
    const { picture, texts: written, name } = await testPicture(of.seed, number, of.format);
    const lines = await of.detector.detect(picture);
    const found = judge(lines, { redact: 'all-text', isKnown: () => false, inCompany: false });
    pixels += picture.width * picture.height;
    for (const text of written) texts.push({ ...text, picture: name, cover: coverOf(text.box, found.text) });
    if (written.length > 0) continue;
    clean.count++;
    if (found.text.length > 0) clean.alarms++;
    else if (found.doubtful.length > 0) clean.doubts++;
  }
  return { texts, clean, pixels };
}

/** The share of the box that the others cover together. */
export function coverOf(box: Box, others: readonly Box[]): number {
  let covered = 0;
  for (let y = box.y; y < box.y + box.height; y++) {
    for (let x = box.x; x < box.x + box.width; x++)
      if (others.some((o) => x >= o.x && x < o.x + o.width && y >= o.y && y < o.y + o.height)) covered++;
  }
  return covered / (box.width * box.height);
}
