import { COUNTERS } from '../../../shared/domain/records/usage-counters.ts';

/** A row by names or, as before schema 2, by their order. */
export const countsIn = (row: string): [counter: string, count: number][] =>
  row
    .split(' ')
    .filter((part) => part !== '')
    .map((part, index) => {
      const [name, count] = part.includes('=') ? part.split('=') : [COUNTERS[index], part];
      return [name ?? `no counter ${index}`, Number(count)];
    });
