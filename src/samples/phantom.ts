/**
 * Computed anatomy: ellipses, gradients and noise that look enough like a chest, a slice, a scan plane or a head to tell
 * whether an image went through whole. Shapes are in fractions of the image, values in the units of the caller.
 */
import type { Seeded } from './random.ts';

export interface Ellipse {
  readonly x: number;
  readonly y: number;
  readonly rx: number;
  readonly ry: number;
  /** Added to what is below it. */
  readonly value: number;
  /** 0: a sharp edge; 1: fades out from the centre. */
  readonly soft?: number;
}

export interface Plane {
  readonly rows: number;
  readonly columns: number;
  readonly background: number;
  readonly ellipses: readonly Ellipse[];
  readonly noise: number;
}

/** rows × columns values, row by row. */
export function drawPlane(plane: Plane, random: Seeded): Float32Array {
  const { rows, columns, background, noise } = plane;
  const values = new Float32Array(rows * columns).fill(background);
  for (const ellipse of plane.ellipses) addEllipse(values, ellipse, plane);
  for (let index = 0; index < values.length; index++) values[index] = (values[index] ?? 0) + random.noise() * noise;
  return values;
}

function addEllipse(values: Float32Array, ellipse: Ellipse, { rows, columns }: Plane): void {
  const soft = ellipse.soft ?? 0;
  const top = Math.max(0, Math.floor((ellipse.y - ellipse.ry) * rows));
  const bottom = Math.min(rows - 1, Math.ceil((ellipse.y + ellipse.ry) * rows));
  for (let row = top; row <= bottom; row++) {
    const dy = (row / rows - ellipse.y) / ellipse.ry;
    for (let column = 0; column < columns; column++) {
      const dx = (column / columns - ellipse.x) / ellipse.rx;
      const distance = dx * dx + dy * dy;
      if (distance >= 1) continue;
      const index = row * columns + column;
      values[index] = (values[index] ?? 0) + ellipse.value * (1 - soft * distance);
    }
  }
}

/** Values clamped to whole numbers in [minimum, maximum]. */
export function quantize<Samples extends Uint8Array | Uint16Array | Int16Array>(
  values: Float32Array,
  output: Samples,
  range: { minimum: number; maximum: number },
): Samples {
  for (let index = 0; index < values.length; index++)
    output[index] = Math.max(range.minimum, Math.min(range.maximum, Math.round(values[index] ?? 0)));
  return output;
}

export const CHEST: readonly Ellipse[] = [
  { x: 0.5, y: 0.6, rx: 0.47, ry: 0.62, value: 1500, soft: 0.2 },
  { x: 0.3, y: 0.48, rx: 0.15, ry: 0.33, value: -900, soft: 0.5 },
  { x: 0.7, y: 0.48, rx: 0.15, ry: 0.33, value: -900, soft: 0.5 },
  { x: 0.55, y: 0.6, rx: 0.14, ry: 0.2, value: 700, soft: 0.6 },
  { x: 0.5, y: 0.45, rx: 0.05, ry: 0.5, value: 600, soft: 0.3 },
  ...Array.from({ length: 9 }, (_, rib) => ({
    x: 0.5,
    y: 0.2 + rib * 0.075,
    rx: 0.44,
    ry: 0.012,
    value: 180,
    soft: 0.7,
  })),
];

/** A slice through a trunk; `level` from 0 to 1 moves through it. In Hounsfield units. */
export function trunk(level: number): readonly Ellipse[] {
  const lungs = Math.max(0.05, 0.16 * Math.sin(Math.PI * (0.15 + 0.7 * level)));
  return [
    { x: 0.5, y: 0.5, rx: 0.44, ry: 0.34, value: 1040 },
    { x: 0.3, y: 0.47, rx: lungs, ry: lungs * 1.3, value: -840 },
    { x: 0.7, y: 0.47, rx: lungs, ry: lungs * 1.3, value: -840 },
    { x: 0.5, y: 0.72, rx: 0.055, ry: 0.055, value: 700 },
    { x: 0.52, y: 0.45, rx: 0.07 + 0.03 * level, ry: 0.08, value: 60, soft: 0.4 },
    { x: 0.42 + 0.1 * level, y: 0.55, rx: 0.02, ry: 0.02, value: 120 },
  ];
}

export const HEAD: readonly Ellipse[] = [
  { x: 0.5, y: 0.5, rx: 0.36, ry: 0.44, value: 620 },
  { x: 0.5, y: 0.5, rx: 0.33, ry: 0.41, value: -240 },
  { x: 0.42, y: 0.48, rx: 0.05, ry: 0.14, value: 480, soft: 0.3 },
  { x: 0.58, y: 0.48, rx: 0.05, ry: 0.14, value: 480, soft: 0.3 },
  { x: 0.5, y: 0.7, rx: 0.12, ry: 0.08, value: 160, soft: 0.8 },
];
