/** The little Markdown that generated statements are made of. Pure. */

export type Cells = readonly string[];

export function markdownTable(head: Cells, rows: readonly Cells[]): string {
  const line = (cells: Cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** A heading and what stands under it, a blank line between parts. */
export function markdownSection(level: number, title: string, ...parts: readonly string[]): string {
  return [`${'#'.repeat(level)} ${title}`, ...parts].join('\n\n');
}

/** `calledAeTitleNotRecognized` as words. */
export function wordsOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
