/** Usage as a table for spreadsheets (RFC 4180): always the same columns, empty where rows are not told apart by them. */
import { COUNTERS } from '../../../../shared/domain/records/usage-counters.ts';
import { GROUPS, type UsageReport } from './usage-report.ts';

const HEADER = [...GROUPS, ...COUNTERS.map((counter) => (counter === 'cost_nano' ? 'cost_usd' : counter))];

export const usageCsv = ({ rows }: UsageReport): string =>
  [HEADER, ...rows.map(({ by, counts }) => [...by.map(textCell), ...Array.from(counts, numberCell)])]
    .map((cells) => `${cells.join(',')}\r\n`)
    .join('');

/** Quoted where it must be, and never a formula: a spreadsheet would run what begins like one. */
const textCell = (text: string | null): string => {
  if (text === null) return '';
  const plain = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
};

const numberCell = (count: number, index: number): string =>
  COUNTERS[index] === 'cost_nano' ? usdText(count) : String(count);

/** All nine digits after the point: a sum of such cells is exact. */
const usdText = (nano: number): string => `${Math.floor(nano / 1e9)}.${String(nano % 1e9).padStart(9, '0')}`;
