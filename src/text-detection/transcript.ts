/**
 * From the recogniser's class probabilities to text: greedy decoding of connectionist temporal classification (Graves et
 * al. 2006): the best class of each step, repetitions merged, blanks (class 0) left out. Pure.
 */

export interface Transcript {
  readonly text: string;
  /** Mean probability of the characters, from 0 to 1; 0 where there is none. */
  readonly confidence: number;
}

/**
 * @param probabilities steps × classes
 * @param characters of the classes from 1 on; the class behind the last is a space
 */
export function transcriptOf(probabilities: Float32Array, classes: number, characters: readonly string[]): Transcript {
  let text = '';
  let sum = 0;
  let count = 0;
  let previous = 0;
  for (let step = 0; step + classes <= probabilities.length; step += classes) {
    const best = bestOf(probabilities, step, classes);
    if (best !== 0 && best !== previous) {
      text += characters[best - 1] ?? ' ';
      sum += probabilities[step + best] ?? 0;
      count++;
    }
    previous = best;
  }
  return { text, confidence: count === 0 ? 0 : sum / count };
}

function bestOf(probabilities: Float32Array, start: number, classes: number): number {
  let best = 0;
  let highest = probabilities[start] ?? 0;
  for (let index = 1; index < classes; index++) {
    const value = probabilities[start + index] ?? 0;
    if (value <= highest) continue;
    highest = value;
    best = index;
  }
  return best;
}
