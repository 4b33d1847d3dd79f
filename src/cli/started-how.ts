/** How this process was started: from the sources, or from the image that `start-image.ts` became (docs/adr/0017). */

/** What an image was made from: put before its bundle by the builder. */
export interface Origin {
  /** The project's folder. */
  readonly root: string;
  /** Where the image will lie. */
  readonly image: string;
  /** Path below the root, bytes, time of the last change in milliseconds: of each file of ours. */
  readonly sources: readonly (readonly [path: string, bytes: number, changed: number])[];
  /** By the name of its file, a script for a thread as one text. */
  readonly threads: Readonly<Record<string, string>>;
}

const IMAGE_OPTION = '--snapshot-blob';

/**
 * A thread of such a process cannot load `node:crypto`: the runtime finds what the image already has of it (Node 26,
 * an assertion in CreateNativeKeyObjectClass). Whatever needs threads has a process of its own there.
 */
export function isFromImage(): boolean {
  return process.execArgv.includes(IMAGE_OPTION);
}

/** The options of the runtime that a process started from the sources has: all but the image. */
export function ordinaryOptions(): string[] {
  return process.execArgv.filter((option, at, all) => option !== IMAGE_OPTION && all[at - 1] !== IMAGE_OPTION);
}

/** Absent in a process that was started from the sources. */
export function originOfImage(): Origin | undefined {
  return (globalThis as { letheOrigin?: Origin }).letheOrigin;
}
