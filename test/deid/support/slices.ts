/** Slices of one series, for what is remembered of an instance for the next ones: what anybody sees of each. */
import { type ByteSource, bytesSource, MemorySink } from '../../../src/core/bytes.ts';
import { LetheError } from '../../../src/core/errors.ts';
import { type DeidentifyOptions, deidentify } from '../../../src/deid/deidentify.ts';
import { leakCheck } from '../../../src/deid/leak-check.ts';
import { compileProfile } from '../../../src/deid/profile.ts';
import { SiblingMemory } from '../../../src/deid/siblings.ts';
import { type BuildElement, buildPart10 } from '../../build/data-set.ts';
import { instanceWith, KEY } from './instance.ts';

const SITE = `
name: site
base: ps3.15
options: [retainLongitudinalModifiedDates, cleanDescriptors, retainSafePrivate]
issuer: distinguish
faces: flag
rules:
  - element: StationName
    action: pseudonym
    when: [{ element: InstanceNumber, equals: ['7'] }]
  - element: ProtocolName
    action: keep
    when: [{ element: SOPInstanceUID, matches: '3$' }]
  - element: DetectorID
    action: replace
    value: D
    source: east
`;

/** Its rules ask for other elements and for the sender. */
export const SITE_PROFILE = compileProfile(SITE);
export const PROFILE = compileProfile('default');
export const PROFILES = [...['default', 'basic', 'research', 'seed'].map((text) => compileProfile(text)), SITE_PROFILE];

/** How often a source was asked: of a sibling once, unless it has other sequences. */
export function counted(bytes: Uint8Array): { source: ByteSource; reads: () => number } {
  let count = 0;
  const { size, read } = bytesSource(bytes);
  return {
    source: {
      size,
      read: (...of) => {
        count++;
        return read(...of);
      },
    },
    reads: () => count,
  };
}

/** Reading a header whole asks for it in more pieces. */
export const SIBLING_READS = 6;

export const slice = (number: number, ...more: BuildElement[]): Uint8Array => sliceOf(600, number, ...more);
export const sliceOf = (pixelBytes: number, number: number, ...more: BuildElement[]): Uint8Array =>
  buildPart10(
    instanceWith(
      [0x00080018, 'UI', `1.2.826.1.3.${number}`],
      [0x00200013, 'IS', String(number)],
      ...(more as unknown as [number, ...unknown[]][]),
      [0x7fe00010, 'OW', new Uint8Array(pixelBytes).fill(number)],
    ),
  );

/** All that anybody sees of one instance. */
export function outcome(source: ByteSource, options: DeidentifyOptions): unknown {
  const sink = new MemorySink();
  try {
    const result = deidentify(source, sink, options);
    const bytes = sink.bytes();
    return { result, bytes, leaks: leakCheck(bytesSource(bytes), result.identity, options.memory?.outputs) };
  } catch (error) {
    if (!(error instanceof LetheError)) throw error;
    return { code: error.code, detail: error.detail };
  }
}

export function memoryOf(profile = PROFILE, key = KEY): SiblingMemory {
  return new SiblingMemory({ profile, key });
}
