/** The table for people. */
import type { Machine } from './figures/machine.ts';
import type { Spread } from './figures/statistics.ts';
import type { Measure, Row, Unit } from './measure.ts';

const HEAD = ['', 'median', 'low to high', 'bare', '÷ bare', 'aim', ''];

const number = (value: number, digits = value < 10 ? 2 : value < 100 ? 1 : 0): string =>
  Number.isFinite(value) ? value.toFixed(digits) : '–';

const amount = (spread: Spread | null, unit: Unit): string => (spread ? `${number(spread.median)} ${unit}` : '');

const cells = ({ what, unit, value, bare, ratio, aim }: Row): string[] => [
  what,
  amount(value, unit),
  `${number(value.low)} to ${number(value.high)}`,
  amount(bare, unit),
  ratio ? number(ratio.median, 2) : '',
  aim?.text ?? '',
  aim ? (aim.isMet ? 'met' : 'MISSED') : '',
];

/** All measures as one table: a line a figure, the notes of each measure above its lines. */
export const formatReport = (
  machine: Machine,
  results: readonly { measure: Pick<Measure, 'title' | 'notes'>; rows: readonly Row[] }[],
): string => {
  const lines = [HEAD, ...results.flatMap(({ rows }) => rows.map(cells))];
  const widths = HEAD.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  const align = (line: readonly string[]): string =>
    line
      .map((cell, column) =>
        column === 0 || column > 4 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('   ')
      .trimEnd();
  return [
    `${machine.date} UTC · ${machine.cores} cores of ${machine.cpu}, ${machine.memoryGiB} GiB · ${machine.kernel}`,
    `Node ${machine.node} · Redis ${machine.redis} (AOF everysec) · load before the run ${machine.loadBefore}`,
    ...results.flatMap(({ measure, rows }) => [
      '',
      measure.title,
      ...measure.notes.map((note) => `  ${note}`),
      align(HEAD),
      ...rows.map((each) => align(cells(each))),
    ]),
  ].join('\n');
};
