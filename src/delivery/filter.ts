/**
 * Which prepared instances a destination is owed. Pure; looks at pseudonymous facts only. Rules of the configuration
 * decide about instances before this; a filter is the destination's own taste.
 */
import type { PreparedManifest } from './destination.ts';

export interface DestinationFilter {
  /** Modality (0008,0060); absent: all. */
  readonly modalities?: readonly string[];
  /** SOP Class UID (0008,0016); absent: all. */
  readonly sopClasses?: readonly string[];
  readonly exceptSopClasses?: readonly string[];
  /** Only instances of which at least one image was rendered. */
  readonly imagesOnly?: boolean;
}

export function takes(filter: DestinationFilter, manifest: PreparedManifest): boolean {
  const { modalities, sopClasses, exceptSopClasses, imagesOnly } = filter;
  if (imagesOnly === true && manifest.images.length === 0) return false;
  if (exceptSopClasses?.includes(manifest.sopClassUid) === true) return false;
  if (sopClasses?.includes(manifest.sopClassUid) === false) return false;
  return modalities === undefined || (manifest.modality !== undefined && modalities.includes(manifest.modality));
}
