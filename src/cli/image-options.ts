/** Options that `deid` and `convert` share: formats, frames, window, quality. */
import type { ImageFormat } from '../imaging/render.ts';
import { UsageError } from './command.ts';

const IMAGE_FORMATS: readonly ImageFormat[] = ['jpeg', 'png', 'png16'];

/** `jpeg,png16`; `dicom` only where it is allowed. */
export function parseFormats(text: string, allowDicom: boolean): { images: ImageFormat[]; dicom: boolean } {
  const names = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const images: ImageFormat[] = [];
  let dicom = false;
  for (const name of names) {
    const format = IMAGE_FORMATS.find((known) => known === name);
    if (format !== undefined) images.push(format);
    else if (allowDicom && name === 'dicom') dicom = true;
    else throw new UsageError(`--format: ${name} is none of ${allowDicom ? 'dicom, ' : ''}${IMAGE_FORMATS.join(', ')}`);
  }
  if (names.length === 0) throw new UsageError('--format names at least one format');
  return { images, dicom };
}

const FRAMES_MAX = 100_000;

/** `all`, or numbers and ranges from 1: `1,3-5`. */
export function parseFrames(text: string | undefined): 'all' | readonly number[] {
  if (text === undefined || text === 'all') return 'all';
  const frames = new Set<number>();
  for (const part of text.split(',')) {
    const match = /^([1-9]\d{0,8})(?:-([1-9]\d{0,8}))?$/.exec(part.trim());
    if (match === null) throw new UsageError('--frames takes all, or numbers and ranges from 1 such as 1,3-5');
    const first = Number(match[1]);
    const last = Number(match[2] ?? match[1]);
    if (last < first || last - first >= FRAMES_MAX) throw new UsageError(`--frames: ${part} is no range`);
    for (let frame = first; frame <= last; frame++) frames.add(frame);
  }
  return [...frames].toSorted((a, b) => a - b);
}

/** `auto`, or centre and width: `40/400`. */
export function parseWindow(text: string | undefined): 'auto' | { center: number; width: number } {
  if (text === undefined || text === 'auto') return 'auto';
  const [center, width] = text.split('/').map(Number);
  if (center === undefined || width === undefined || !Number.isFinite(center) || !(width >= 1))
    throw new UsageError('--window takes auto, or centre/width such as 40/400 (width at least 1)');
  return { center, width };
}
