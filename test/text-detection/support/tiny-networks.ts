/** Networks that say what a test wants, for what stands around them. */
import type { Networks } from '../../../src/text-detection/read-tile.ts';

/** Marks every bright pixel (white, normalised) as text and reads every line as the same. */
export function tinyNetworks(text: string, characters = 'abcdefghijklmnopqrstuvwxyz0123456789'): Networks {
  const classes = characters.length + 2;
  return {
    characters: [...characters],
    detect: async (planes, width, height) => planes.subarray(0, width * height).map((value) => (value > 1 ? 0.9 : 0)),
    recognise: async () => {
      const probabilities = new Float32Array(text.length * 2 * classes);
      for (const [index, character] of [...text].entries()) {
        probabilities[2 * index * classes + characters.indexOf(character) + 1] = 0.8;
        probabilities[(2 * index + 1) * classes] = 0.9;
      }
      return { probabilities, classes };
    },
  };
}
