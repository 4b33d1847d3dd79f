/**
 * A plain text table for the terminal: columns as wide as their widest cell, numbers to the right, no lines but the one
 * under the heads. Width is counted in terminal cells, so that names in Japanese or Korean do not break the columns.
 * Control characters in a cell are shown as `?`: a table may hold what a sender wrote.
 */

export interface Column<Row> {
  readonly head: string;
  readonly cell: (row: Row) => string | number | undefined;
  /** Default: right for columns whose every cell is a number or empty. */
  readonly align?: 'left' | 'right';
  /** Longer cells are cut, with an ellipsis. */
  readonly widthMax?: number;
}

const GAP = '  ';
const ABSENT = '-';
const ELLIPSIS = '…';

/** The lines of a table; with `indent` blanks before each. No rows: the heads alone. */
export function tableLines<Row>(columns: readonly Column<Row>[], rows: readonly Row[], indent = 0): string[] {
  const drawn = columns.map((column) => drawColumn(column, rows));
  const line = (cells: readonly string[]) => `${' '.repeat(indent)}${cells.join(GAP)}`.trimEnd();
  const heads = line(drawn.map(({ head }) => head));
  const rule = line(drawn.map(({ width }) => '─'.repeat(width)));
  return [heads, rule, ...rows.map((_, index) => line(drawn.map(({ cells }) => cells[index] ?? '')))];
}

function drawColumn<Row>(column: Column<Row>, rows: readonly Row[]): { head: string; cells: string[]; width: number } {
  const values = rows.map((row) => column.cell(row));
  const numeric = values.length > 0 && values.every((value) => typeof value !== 'string' || value === '');
  const right = column.align === undefined ? numeric : column.align === 'right';
  const texts = values.map((value) => cut(printable(cellText(value)), column.widthMax));
  const width = Math.max(cellWidth(column.head), ...texts.map(cellWidth));
  const pad = (text: string) => {
    const blanks = ' '.repeat(width - cellWidth(text));
    return right ? blanks + text : text + blanks;
  };
  return { head: pad(column.head), cells: texts.map(pad), width };
}

function cellText(value: string | number | undefined): string {
  if (typeof value === 'number') return value.toLocaleString('en-US', { maximumFractionDigits: 2 });
  return value === undefined || value === '' ? ABSENT : value;
}

function printable(text: string): string {
  return text.replace(/\p{Control}|\p{Bidi_Control}/gu, '?');
}

function cut(text: string, widthMax: number | undefined): string {
  if (widthMax === undefined || cellWidth(text) <= widthMax) return text;
  let kept = '';
  for (const segment of graphemes(text)) {
    if (cellWidth(kept + segment) >= widthMax) break;
    kept += segment;
  }
  return kept + ELLIPSIS;
}

let segmenter: Intl.Segmenter | undefined; // making one takes longer than de-identifying several files

function* graphemes(text: string): Iterable<string> {
  segmenter ??= new Intl.Segmenter('en', { granularity: 'grapheme' });
  for (const { segment } of segmenter.segment(text)) yield segment;
}

/** East Asian Wide and Fullwidth blocks (Unicode UAX #11), and emoji. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;

/** How many terminal cells a text takes. */
export function cellWidth(text: string): number {
  let width = 0;
  for (const segment of graphemes(text)) width += WIDE.test(segment) ? 2 : 1;
  return width;
}

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** `10.2 MiB`: three significant digits, so that a column of sizes can be compared at a glance. */
export function bytesText(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (value >= 1023.5 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${BYTE_UNITS[unit] ?? ''}`;
}

/** `850 ms`, `12.4 s`, `3 min 5 s`, `2 h 4 min`. */
export function durationText(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
