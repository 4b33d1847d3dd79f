/**
 * Which content is the same as which. Receiving does not compute SHA-256: it costs as much as all else a large instance
 * costs, and nobody asks for it unless a SOP Instance UID comes twice. It is found out when it is asked for, else while
 * the instance is processed, and always before its bytes are erased.
 */
import { LetheError, toLetheError } from '../core/errors.ts';
import type { InstanceId } from '../core/identifier.ts';
import type { Spool, SpooledInstance, SpoolLocation } from '../queue/spool.ts';
import { type AcceptOutcome, CONTENT_LOST, type OtherContent, type Store } from '../queue/store.ts';

export interface ContentDeps {
  readonly spool: Spool;
  readonly store: Store;
}

export interface Offer {
  readonly spooled: SpooledInstance;
  readonly studyInstanceUid: string | undefined;
  readonly otherContent: OtherContent | undefined;
}

export type Accepted =
  | Exclude<AcceptOutcome, { kind: 'undetermined' | 'conflict' }>
  | (AcceptOutcome & { readonly kind: 'conflict' } & { readonly offered: string });

/**
 * The row for committed bytes; digests are found out where there is content under the same UID.
 * @throws SPOOL_IO SPOOL_CORRUPT STORE_UNAVAILABLE
 */
export async function acceptContent(offer: Offer, { spool, store }: ContentDeps): Promise<Accepted> {
  let { spooled } = offer;
  for (;;) {
    const outcome = await store.accept(spooled, offer.studyInstanceUid, offer.otherContent);
    if (outcome.kind === 'conflict') return { ...outcome, offered: spooled.digest ?? '' };
    if (outcome.kind !== 'undetermined') return outcome;
    for (const { id, location } of outcome.earlier) await noteDigestOf(id, location, { spool, store });
    const digest = spooled.digest ?? (await spool.digestOf(spooled.location));
    if (digest === undefined) throw new LetheError('SPOOL_CORRUPT', { what: 'data' });
    spooled = { ...spooled, digest };
  }
}

/** Before bytes go, or where they are compared: what they were stays on record. @throws STORE_UNAVAILABLE */
export async function noteDigestOf(
  id: InstanceId,
  location: SpoolLocation,
  { spool, store }: ContentDeps,
): Promise<void> {
  await store.noteDigest(id, (await digestOrLost(spool, location)) ?? CONTENT_LOST);
}

async function digestOrLost(spool: Spool, location: SpoolLocation): Promise<string | undefined> {
  try {
    return await spool.digestOf(location);
  } catch (error) {
    const known = toLetheError(error);
    if (known.code === 'SPOOL_CORRUPT' || known.code === 'SPOOL_IO') return undefined; // they are gone
    throw known;
  }
}
