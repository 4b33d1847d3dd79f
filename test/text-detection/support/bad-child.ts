/** A reading process that misbehaves as its tile says: the first pixel is 1 to die, 2 to say nothing, 3 to fail. */
import type { TileRequest } from '../../../src/text-detection/detector.ts';

process.on('disconnect', () => process.exit(0));
process.on('message', ({ number, picture }: TileRequest) => {
  const [wish] = picture.pixels;
  if (wish === 1) process.exit(3);
  if (wish === 3) process.send?.({ number, failed: 'the networks failed' });
  if (wish === 0) {
    const box = { x: 0, y: 0, width: 1, height: 1 };
    process.send?.({ number, lines: [{ box, text: String(process.pid), confidence: 1, score: 1 }] });
  }
});
