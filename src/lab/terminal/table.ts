/**
 * Aligned tables for people.
 *
 * @module
 */

const NUMBER = /^(?:[-–]|[<>~]? ?-?[\d.,]+)(?: ?\S+)?$/;

/**
 * Lays out rows of cells: words to the left, numbers to the right.
 *
 * Shape: two lines of head, then one line per row, without a line end at the end.
 *
 * @param head one title per column
 * @param rows one text per column each; missing ones are empty
 */
export function tableText(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, i) =>
    Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0))
  );
  // A column of numbers has its title above its last digit.
  const isNumeric = head.map((_, i) => rows.some((row) => NUMBER.test(row[i] ?? "")));
  const titles = head.map((title, i) => isNumeric[i] ? title.padStart(widths[i]!) : title);
  const line = (row: readonly string[]): string =>
    head.map((_, i) => {
      const cell = row[i] ?? "";
      return NUMBER.test(cell) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!);
    }).join("  ").trimEnd();
  return [
    titles.map((title, i) => title.padEnd(widths[i]!)).join("  ").trimEnd(),
    widths.map((width) => "-".repeat(width)).join("  "),
    ...rows.map(line),
  ].join("\n");
}
