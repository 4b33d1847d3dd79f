/**
 * What `scripts/build-start-image.ts` bundles and runs once, and Node keeps as a start-up snapshot: the modules of
 * `lethe deid`, their tables made, nothing of any customer. `bin/lethe` starts from it (docs/adr/0017); an image that is
 * older than the sources, or of another folder, removes itself and gives way to the ordinary start.
 */
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { startupSnapshot } from 'node:v8';
import { bytesSource, MemorySink } from '../core/bytes.ts';
import { deidentify } from '../deid/deidentify.ts';
import { leakCheck } from '../deid/leak-check.ts';
import { compileProfile } from '../deid/profile.ts';
import { KEY_BYTES } from '../deid/pseudonym.ts';
import { SiblingMemory } from '../deid/siblings.ts';
import { part10Of } from '../samples/instance.ts';
import { identifying, PEOPLE } from '../samples/people.ts';
import { runCommandLine, type Verbs } from './command-line.ts';
import { command } from './deid.ts';
import { type Origin, ordinaryOptions, originOfImage } from './started-how.ts';

const VERBS: Verbs = { deid: { summary: command.summary, load: () => Promise.resolve(command) } };
const SLICES = 2;

/**
 * De-identifies two slices of a made-up study in memory, so that the tables which are made at their first use are in the
 * image. The key is none of anybody's; what it made is thrown away.
 */
function rehearse(): void {
  const profile = compileProfile('default');
  const key = { bytes: new Uint8Array(KEY_BYTES), generation: 1 };
  const memory = new SiblingMemory({ profile, key });
  for (let number = 1; number <= SLICES; number++) {
    const source = bytesSource(slice(number));
    const sink = new MemorySink();
    const { identity } = deidentify(source, sink, { profile, key, memory, read: memory.read(source) });
    leakCheck(bytesSource(sink.bytes()), identity, memory.outputs);
  }
}

function slice(number: number): Uint8Array {
  return part10Of({
    attributes: {
      ...identifying(PEOPLE.trunk),
      SOPClassUID: '1.2.840.10008.5.1.4.1.1.2', // CT Image Storage
      SOPInstanceUID: `2.25.1${number}`,
      StudyInstanceUID: '2.25.2',
      SeriesInstanceUID: '2.25.3',
      FrameOfReferenceUID: '2.25.4',
      Modality: 'CT',
      StudyDescription: 'CT of the chest',
      ImageType: 'ORIGINAL\\PRIMARY\\AXIAL',
      InstanceNumber: String(number),
      SamplesPerPixel: [1],
      PhotometricInterpretation: 'MONOCHROME2',
      Rows: [1],
      Columns: [2],
      BitsAllocated: [16],
      BitsStored: [12],
      HighBit: [11],
      PixelRepresentation: [0],
    },
    pixelData: new Uint8Array(4),
  });
}

function isCurrent({ root, sources }: Origin, main: string | undefined): boolean {
  if (main !== join(root, 'src/cli/main.ts')) return false;
  return sources.every(([path, bytes, changed]) => {
    const found = statSync(`${root}/${path}`, { throwIfNoEntry: false });
    return found?.size === bytes && found.mtimeMs === changed;
  });
}

/** In the same process, so that whoever waits for it or signals it notices nothing. */
function startOrdinarily(origin: Origin | undefined): void {
  if (origin !== undefined) rmSync(origin.image, { force: true });
  const again = [process.execPath, ...ordinaryOptions(), ...process.argv.slice(1)];
  process.execve?.(process.execPath, again, process.env);
}

async function start(): Promise<void> {
  const origin = originOfImage();
  if (origin === undefined || !isCurrent(origin, process.argv[1])) startOrdinarily(origin);
  const code = await runCommandLine(process.argv.slice(2), VERBS);
  await Promise.all([written(process.stdout), written(process.stderr)]);
  process.exit(code); // without taking down piece by piece what the image had put up
}

/** All that was said is out: a pipe is written behind one's back on some systems. */
function written(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => void stream.write('', () => resolve()));
}

rehearse();
startupSnapshot.setDeserializeMainFunction(() => void start());
