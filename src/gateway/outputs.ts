/**
 * As what one instance is prepared: destinations that ask for the same profile and the same images share an output,
 * others get one of their own. Pure. Who takes an instance at all is decided here too, before any work is done for it.
 */
import { type DestinationFilter, type FilterFacts, takes } from '../delivery/filter.ts';
import type { RenderOptions } from '../imaging/render.ts';

export type Rendering = Pick<RenderOptions, 'format' | 'quality' | 'onUnrepresentable' | 'maxEdge' | 'frames'>;

/** What one destination asks for; plain data, cloned into the workers. */
export interface DestinationTaker {
  readonly name: string;
  readonly accepts: 'all' | 'images' | 'non-images';
  readonly filter?: DestinationFilter;
  /** Name of its own profile; undefined: what rule, source or site say. */
  readonly profile?: string;
  /** What differs from the site's own. */
  readonly rendering?: Partial<Rendering>;
  /** False: nothing but the DICOM object goes there. */
  readonly wantsImages: boolean;
  /** False: nothing but the images go there. */
  readonly wantsObject: boolean;
}

export interface PlannedImages {
  readonly rendering: Rendering;
  readonly destinations: readonly string[];
  /** False: nobody of them wants the images, so none are made. */
  readonly wanted: boolean;
}

/** One de-identified object and the image files made from it. */
export interface PlannedOutput {
  /** Undefined: the one that source or rule picked, else the site's. */
  readonly profile: string | undefined;
  /** False: nobody of them wants the object, so it is made, verified and rendered from, and not kept. */
  readonly keepsObject: boolean;
  readonly images: readonly PlannedImages[];
}

/** `routed`: by a rule; undefined: no rule says where. */
export function takersOf(
  facts: FilterFacts,
  takers: readonly DestinationTaker[],
  routed: readonly string[] | undefined,
): DestinationTaker[] {
  return takers
    .filter(({ name }) => routed === undefined || routed.includes(name))
    .filter(({ accepts }) => accepts === 'all' || (accepts === 'images') === facts.hasImages)
    .filter(({ filter }) => filter === undefined || takes(filter, facts));
}

/** Objects in the order of their first taker, and of each object's images likewise: deterministic. */
export function planOutputs(takers: readonly DestinationTaker[], site: Rendering): PlannedOutput[] {
  const profiles = Map.groupBy(takers, ({ profile }) => profile);
  return [...profiles].map(([profile, members]) => ({
    profile,
    keepsObject: members.some(({ wantsObject }) => wantsObject),
    images: planImages(members, site),
  }));
}

function planImages(takers: readonly DestinationTaker[], site: Rendering): PlannedImages[] {
  // Whoever wants no images is content with any object of the profile: no rendering is made for it alone.
  const first = takers.find(({ wantsImages }) => wantsImages) ?? takers[0];
  const renderingOf = (taker: DestinationTaker) => ({
    ...site,
    ...(taker.wantsImages ? taker.rendering : first?.rendering),
  });
  const groups = Map.groupBy(takers, (taker) => JSON.stringify(Object.entries(renderingOf(taker)).toSorted()));
  return [...groups.values()].flatMap((members) => {
    const [one] = members;
    if (one === undefined) return [];
    return [
      {
        rendering: renderingOf(one),
        destinations: members.map(({ name }) => name),
        wanted: members.some(({ wantsImages }) => wantsImages),
      },
    ];
  });
}
