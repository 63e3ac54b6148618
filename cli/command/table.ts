type Cell = string | number | boolean | null;

/** Rows under a header, in columns as wide as their longest cell; '' where there is nothing to show. */
export const tableText = (header: readonly string[], rows: readonly (readonly Cell[])[]): string => {
  const lines = [header, ...rows.map((row) => row.map((cell) => (cell === null ? '-' : String(cell))))];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
};
