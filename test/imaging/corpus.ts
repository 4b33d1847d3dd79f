/** The development corpus (or another one laid out the same way): what it lists, and what independent decoders say. */
import { readFileSync } from 'node:fs';
import { bytesSource } from '../../src/core/bytes.ts';
import { type Part10File, readPart10 } from '../../src/dicom/part10.ts';
import { sharedPath, skipWithout } from '../support/shared.ts';
import type { Thumb } from './canonical.ts';

export interface CorpusEntry {
  readonly path: string;
  readonly size: number;
  readonly expect: 'ok' | 'decode-error' | 'parse-error';
  /** Short name of the transfer syntax. */
  readonly kind: string | null;
  readonly photometric: string | null;
  readonly rows: number | null;
  /** Why another outcome than `expect` is acceptable. */
  readonly lenient?: string;
  /** Which of DCMTK, GDCM, dicom3tools and pydicom read it. */
  readonly parsed_by: readonly string[];
}

export interface OracleFrame {
  readonly frame: number;
  readonly sha256?: string;
  readonly sha256Bits?: string;
  readonly sha256Raw?: string;
  readonly thumb?: Thumb;
}

export interface Oracle {
  readonly path: string;
  readonly state: { readonly lossy: boolean };
  readonly frames: readonly OracleFrame[];
  readonly alternative?: { readonly frames: readonly OracleFrame[] };
}

export const skipWithoutCorpus = skipWithout('corpus');

function readJson<Content>(name: string): Content {
  return JSON.parse(readFileSync(sharedPath('corpus', name), 'utf8')) as Content;
}

export function corpusEntries(): readonly CorpusEntry[] {
  return skipWithoutCorpus ? [] : readJson<{ entries: CorpusEntry[] }>('MANIFEST.json').entries;
}

export function corpusOracles(): ReadonlyMap<string, Oracle> {
  const { oracles } = skipWithoutCorpus ? { oracles: [] } : readJson<{ oracles: Oracle[] }>('ORACLES.json');
  return new Map(oracles.map((oracle) => [oracle.path, oracle]));
}

export function readEntry({ path }: Pick<CorpusEntry, 'path'>): Part10File {
  return readPart10(bytesSource(readFileSync(sharedPath('corpus', path))));
}
