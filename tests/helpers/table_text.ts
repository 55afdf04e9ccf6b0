/**
 * Aligned tables for programs that print what they measured.
 *
 * @module
 */

/** Rows of cells as text, columns aligned: words to the left, numbers to the right. */
export function tableText(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, i) =>
    Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0))
  );
  const isNumber = (text: string): boolean => /^-?[\d.,]+( \S+)?$/.test(text);
  const line = (row: readonly string[]): string =>
    row.map((cell, i) => isNumber(cell) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!))
      .join("  ").trimEnd();
  return [line(head), widths.map((width) => "-".repeat(width)).join("  "), ...rows.map(line)]
    .join("\n");
}
