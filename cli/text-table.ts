/** One column: its heading, and whether numbers stand right-aligned in it. */
export interface Column {
  readonly title: string;
  readonly align?: 'right';
}

/**
 * Rows in aligned columns, two blanks apart, each line cut at `width`. The last column is not padded, so nothing ends
 * in blanks.
 */
export function textTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number,
): string {
  const widths = columns.map(({ title }, i) =>
    rows.reduce((widest, row) => Math.max(widest, row[i]!.length), title.length),
  );
  const line = (cells: readonly string[]) =>
    cutText(
      cells
        .map((cell, i) =>
          columns[i]!.align === 'right' ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!),
        )
        .join('  ')
        .trimEnd(),
      width,
    );
  return [columns.map(({ title }) => title), ...rows].map((cells) => `${line(cells)}\n`).join('');
}

/** At most `width` characters; what was cut shows as "…". Control characters of foreign names become blanks. */
export function cutText(text: string, width: number): string {
  const clean = text.replace(/[\u0000-\u001f\u007f-\u009f]/g, ' ');
  return clean.length <= width ? clean : `${clean.slice(0, Math.max(0, width - 1))}…`;
}
