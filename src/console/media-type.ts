/**
 * Media types and their parameters (RFC 9110 §8.3.1), and Content-Disposition (RFC 6266) which has the same shape.
 * Values keep their case; names are lower-case. Anything that does not parse is `undefined`, never a guess.
 */

export interface MediaType {
  /** `multipart/related`, lower-case. */
  readonly essence: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const PARAMETER = new RegExp(
  `[ \\t]*;[ \\t]*(?:(${TOKEN})[ \\t]*=[ \\t]*(?:"((?:[^"\\\\]|\\\\.)*)"|([^;"\\s]*)))?`,
  'y',
);
const ESSENCE = new RegExp(`^[ \\t]*(${TOKEN}(?:/${TOKEN})?)`);

/** `multipart/related; type="application/dicom"; boundary=x`. Tolerance: unquoted values may hold `/` and `=`. */
export function parseMediaType(text: string): MediaType | undefined {
  const essence = ESSENCE.exec(text);
  if (essence?.[1] === undefined) return undefined;
  const parameters = new Map<string, string>();
  let at = essence[0].length;
  while (at < text.length) {
    PARAMETER.lastIndex = at;
    const match = PARAMETER.exec(text);
    if (match === null) {
      if (text.slice(at).trim() !== '') return undefined;
      break;
    }
    const name = match[1]?.toLowerCase();
    if (name !== undefined && !parameters.has(name)) {
      parameters.set(name, match[2]?.replace(/\\(.)/g, '$1') ?? match[3] ?? '');
    }
    at += match[0].length;
  }
  return { essence: essence[1].toLowerCase(), parameters };
}
