/**
 * Which instances a destination is owed. Pure. Rules of the configuration decide about instances before this; a filter
 * is the destination's own taste.
 */

export interface DestinationFilter {
  /** Modality (0008,0060); absent: all. */
  readonly modalities?: readonly string[];
  /** SOP Class UID (0008,0016); absent: all. */
  readonly sopClasses?: readonly string[];
  readonly exceptSopClasses?: readonly string[];
  /** Only instances that show an image. */
  readonly imagesOnly?: boolean;
}

export interface FilterFacts {
  readonly sopClassUid: string;
  readonly modality?: string;
  readonly hasImages: boolean;
}

export function takes(filter: DestinationFilter, facts: FilterFacts): boolean {
  const { modalities, sopClasses, exceptSopClasses, imagesOnly } = filter;
  if (imagesOnly === true && !facts.hasImages) return false;
  if (exceptSopClasses?.includes(facts.sopClassUid) === true) return false;
  if (sopClasses?.includes(facts.sopClassUid) === false) return false;
  return modalities === undefined || (facts.modality !== undefined && modalities.includes(facts.modality));
}
