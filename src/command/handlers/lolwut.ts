/**
 * What `LOLWUT` draws: a sluice, its gate and the water behind and below it.
 *
 * @module
 */

/** Rows of water. */
const ROW_COUNT = 7;

/**
 * Draws.
 *
 * Thread: any.
 *
 * @param columnCount width of the river
 * @param timeMs decides what the waves look like
 */
export function lolwutText(columnCount: number, timeMs: number, version: string): string {
  const gate = Math.floor(columnCount / 2);
  const lines: string[] = [];
  for (let row = 0; row < ROW_COUNT; row++) {
    let line = "";
    for (let column = 0; column < columnCount; column++) {
      line += cell(row, column - gate, timeMs / 1000);
    }
    lines.push(line.trimEnd());
  }
  return `${lines.join("\n")}\n\nSluice ver. ${version}\n`;
}

/** High water in front of the gate, a fall behind it, ripples below. */
function cell(row: number, distance: number, phase: number): string {
  if (distance === 0) return row === ROW_COUNT - 1 ? "=" : "#";
  const wave = Math.sin(distance * 0.7 + phase + row);
  if (distance < 0) return row === 0 ? (wave > 0.6 ? "_" : " ") : wave > 0 ? "~" : "-";
  const surface = Math.max(1, ROW_COUNT - 3 - Math.floor(distance / 2)) + 2;
  if (row < Math.min(surface, ROW_COUNT - 2)) {
    return distance <= 2 && row > 1 ? "\\" : " ";
  }
  return wave > 0.3 ? "~" : wave < -0.7 ? "." : "-";
}
