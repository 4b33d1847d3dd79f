/**
 * What the store keeps of an instance's outputs: the first one's manifest with the others beside it, each with the
 * destinations it was made for, as JSON. Which output a destination gets was decided when it was made, so that a
 * configuration that changes meanwhile sends nobody what was made for somebody else. Pure.
 */
import { LetheError } from '../core/errors.ts';
import type { PreparedManifest } from '../delivery/destination.ts';

export interface OutputOf<Object> {
  readonly destinations: readonly string[];
  readonly manifest: PreparedManifest;
  readonly object: Object;
}

interface KeptManifests extends PreparedManifest {
  /** Absent in what an earlier version wrote: there was one output, and it was for all. */
  readonly destinations?: readonly string[];
  readonly others?: readonly { readonly destinations: readonly string[]; readonly manifest: PreparedManifest }[];
}

export function writeManifests(outputs: readonly Omit<OutputOf<unknown>, 'object'>[]): string {
  const [main, ...others] = outputs;
  if (main === undefined) throw new LetheError('INVARIANT', { what: 'no output' });
  const beside = others.map(({ destinations, manifest }) => ({ destinations, manifest }));
  const { destinations } = main;
  return JSON.stringify({ ...main.manifest, destinations, ...(beside.length === 0 ? {} : { others: beside }) });
}

/** The first output's, which is what people are shown. @throws SPOOL_CORRUPT */
export function mainManifest(text: string): PreparedManifest {
  const { others: _others, destinations: _destinations, ...manifest } = parse(text);
  return manifest;
}

/** @throws SPOOL_CORRUPT where nothing was made for it, or the text is not what `writeManifests` wrote */
export function manifestFor(text: string, destination: string): PreparedManifest {
  const { destinations, others } = parse(text);
  if (destinations?.includes(destination) ?? true) return mainManifest(text);
  const other = others?.find((one) => one.destinations.includes(destination));
  if (other === undefined) throw new LetheError('SPOOL_CORRUPT', { what: 'no output for this destination' });
  return other.manifest;
}

/** The destinations whose output has no DICOM object, because none of them wanted one. @throws SPOOL_CORRUPT */
export function withoutObject(text: string): string[] {
  const { others = [], destinations = [], ...manifest } = parse(text);
  return [{ destinations, manifest }, ...others].flatMap((one) =>
    one.manifest.dicomFile === undefined ? one.destinations : [],
  );
}

function parse(text: string): KeptManifests {
  try {
    return JSON.parse(text) as KeptManifests;
  } catch (error) {
    throw new LetheError('SPOOL_CORRUPT', { what: 'manifest' }, { cause: error });
  }
}
