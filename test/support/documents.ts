/** The documents that users and operators read: where they are, and what stands in them. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '..', '..');

export const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** The README, SECURITY.md and all of docs/, by their paths from the root. */
export const DOCUMENTS: readonly string[] = [
  'README.md',
  'SECURITY.md',
  ...globSync('docs/**/*.md', { cwd: ROOT }).toSorted(),
];

/** A document without its fenced code: the lines of that are empty. */
export const withoutCode = (text: string): string =>
  text.replace(/^```[\s\S]*?^```$/gm, (code) => code.replace(/.+/g, ''));

type Row = readonly string[];

/** A table line's cells, without the code marks around a whole cell. */
const cellsOf = (line: string): Row =>
  line
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim().replace(/^`([^`]*)`$/, '$1'));

/** The rows of the one table that has this header, in whatever document. */
export const tableOf = (...header: string[]): Row[] => {
  const tables = DOCUMENTS.flatMap((path) => {
    const lines = read(path).split('\n').map(cellsOf);
    return lines.flatMap((cells, at) => (cells.join('|') === header.join('|') ? [lines.slice(at + 2)] : []));
  });
  const [rows = [], ...others] = tables;
  if (tables.length !== 1) throw new Error(`${1 + others.length} tables have the columns ${header.join(', ')}, not 1`);
  return rows.slice(
    0,
    rows.findIndex((cells) => cells.length === 0),
  );
};

export const firstCells = (rows: readonly Row[]): string[] => rows.map(([first = '']) => first).toSorted();
