/** The frame of a measure: a file under `measures/` that says what it does, does it in rounds and answers rows of one table. */

import { type Spread, spreadOf } from './figures/statistics.ts';
import type { Ground } from './ground.ts';

export type Unit = '/s' | 'ms' | 's' | 'µs' | 'bytes' | 'MiB' | 'calls' | '%';

export type Row = {
  what: string;
  unit: Unit;
  value: Spread;
  /** The same of bare parts, measured in the same rounds. */
  bare: Spread | null;
  /** Value ÷ bare, round by round. */
  ratio: Spread | null;
  aim: { text: string; isMet: boolean } | null;
};

export type Bench = {
  /** Starts processes for this measure only; all of them are ended after it. */
  ground: Ground;
  /** Shorter rounds and fewer of them: to see that everything works, not to quote. */
  quick: boolean;
  progress: (text: string) => void;
};

export type Measure = {
  name: string;
  title: string;
  /** It takes so long that it runs only where it is named. */
  isLong?: true;
  /** What the reader must know to judge the figures. */
  notes: readonly string[];
  run: (bench: Bench) => Promise<Row[]>;
};

/** A limit for a row's median, or for its ratio to the bare parts. */
export type Aim = { of: 'value' | 'ratio'; is: 'at least' | 'at most'; limit: number };

/** `values` and `bare` hold a number for each round, in the same order. */
export const row = (
  what: string,
  unit: Unit,
  values: readonly number[],
  { bare, aim }: { bare?: readonly number[]; aim?: Aim } = {},
): Row => {
  const value = spreadOf(values);
  const ratio = bare ? spreadOf(values.map((each, round) => each / (bare[round] ?? Number.NaN))) : null;
  return {
    what,
    unit,
    value,
    bare: bare ? spreadOf(bare) : null,
    ratio,
    aim: aim ? judge(aim, unit, aim.of === 'ratio' ? ratio : value) : null,
  };
};

const judge = ({ of, is, limit }: Aim, unit: Unit, measured: Spread | null): Row['aim'] => {
  const { median } = measured ?? { median: Number.NaN };
  const sign = is === 'at least' ? '≥' : '≤';
  return {
    text: of === 'ratio' ? `${sign} ${limit} of bare` : `${sign} ${limit} ${unit}`,
    isMet: is === 'at least' ? median >= limit : median <= limit,
  };
};

/**
 * Runs every variant once a round, one after the other: a machine that is busy for a while is so for all of them.
 * Answers each variant's results in the order of the rounds.
 */
export const inTurn = async <Name extends string, Result>(
  { progress }: Pick<Bench, 'progress'>,
  rounds: number,
  variants: Record<Name, () => Promise<Result>>,
): Promise<Record<Name, Result[]>> => {
  // The cast: Object.entries forgets the names.
  const all = Object.entries(variants) as [Name, () => Promise<Result>][];
  const results = Object.fromEntries(all.map(([name]) => [name, []])) as unknown as Record<Name, Result[]>;
  for (let round = 1; round <= rounds; round++) {
    for (const [name, run] of all) {
      progress(`round ${round} of ${rounds}: ${name}`);
      results[name].push(await run());
    }
  }
  return results;
};
