/**
 * The child process of `detector-process.ts`: loads the networks, reads one tile after the other, says nothing else. It ends
 * when its parent is gone, and by itself once its memory has grown past the limit; on Linux it offers itself first where
 * memory runs out.
 */
import { writeFileSync } from 'node:fs';
import type { TileAnswer, TileRequest } from './detector.ts';
import { loadNetworks } from './networks.ts';
import { readTile } from './read-tile.ts';

/** The largest tile takes about 600 MB. */
const RESIDENT_BYTES_MAX = 1024 * 1024 * 1024;

function offerFirst(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '1000');
  } catch {
    // Not Linux: the system decides.
  }
}

function answer(message: TileAnswer, then: () => void): void {
  process.send?.(message, then);
}

function endIfLarge(): void {
  if (process.memoryUsage.rss() > RESIDENT_BYTES_MAX) process.exit(0);
}

const networks = loadNetworks();

async function read({ number, picture, effort }: TileRequest): Promise<void> {
  try {
    const loaded = await networks;
    if (loaded === undefined) throw new TypeError('the networks are not installed');
    answer({ number, lines: await readTile(picture, effort, loaded) }, endIfLarge);
  } catch {
    // What the networks say of a picture is not ours to repeat.
    answer({ number, failed: 'the networks failed' }, endIfLarge);
  }
}

offerFirst();
process.on('disconnect', () => process.exit(0));
process.on('message', (request: TileRequest) => void read(request));
