/**
 * What a worker remembers of the instances before (`deid/siblings.ts`): a memory for each profile and key it meets, the
 * last used few. They hold identified headers, so they are let go when nothing came for a while.
 */
import type { CompiledProfile } from '../deid/profile.ts';
import type { PseudonymKey } from '../deid/pseudonym.ts';
import { SiblingMemory } from '../deid/siblings.ts';

/** Profiles and customers that take turns; each memory holds up to four series. */
const MEMORIES_MAX = 8;
/** Longer than the pauses within a study, and short enough that no patient stays for the night. */
const IDLE_MS = 60_000;

interface Kept {
  readonly profile: CompiledProfile;
  readonly key: PseudonymKey;
  readonly memory: SiblingMemory;
}

export class SiblingMemories {
  readonly #kept: Kept[] = []; // the last used first
  #idle: NodeJS.Timeout | undefined;

  of(profile: CompiledProfile, key: PseudonymKey): SiblingMemory {
    const place = this.#kept.findIndex((one) => one.profile === profile && isSame(one.key, key));
    const [known] = place < 0 ? [] : this.#kept.splice(place, 1);
    const kept = known ?? { profile, key, memory: new SiblingMemory({ profile, key }) };
    this.#kept.unshift(kept);
    this.#kept.splice(MEMORIES_MAX);
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.forget(), IDLE_MS).unref();
    return kept.memory;
  }

  /** Everything of instances. */
  forget(): void {
    for (const { memory } of this.#kept) memory.forget();
    this.#kept.length = 0;
  }
}

function isSame(one: PseudonymKey, other: PseudonymKey): boolean {
  return one.generation === other.generation && Buffer.compare(one.bytes, other.bytes) === 0;
}
