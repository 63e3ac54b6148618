/** What grows, though the load stays the same. A reading is compared with an earlier one of the same thing, long after the start. */

/** What is read, and how much more of it at the end is no growth: a share of what it was, and so much besides. */
const TOLERANCE = {
  /** Bytes of a process, in memory. Its allocator gives little back. */
  resident: { share: 0.15, besides: 24 * 2 ** 20 },
  /** Bytes of JavaScript and of buffers that are in use, after a collection of garbage. */
  heap: { share: 0.1, besides: 3 * 2 ** 20 },
  /** Open files and sockets: as many more calls may be in flight. */
  descriptors: { share: 0.2, besides: 24 },
  timers: { share: 0.5, besides: 30 },
  /** Keys of Redis that go with their job, or that a job does not add to. */
  keys: { share: 0.3, besides: 40 },
  bytes: { share: 0.3, besides: 256 * 1_024 },
  /** What Redis keeps for longer than a run, for each job that has ended. */
  'keys a job': { share: 0.1, besides: 0.02 },
  'bytes a job': { share: 0.2, besides: 8 },
  /** Bytes that Redis uses for anything but keys: tables, connections, the append-only file. */
  overhead: { share: 0.3, besides: 6 * 2 ** 20 },
} satisfies Record<string, { share: number; besides: number }>;

export type Quantity = keyof typeof TOLERANCE;

export type Reading = { of: string; quantity: Quantity; value: number };

export type Sample = { atMs: number; readings: Reading[] };

export type Growth = { of: string; quantity: Quantity; early: number; late: number; grew: boolean };

/** As long as caches fill, code is compiled and records reach the end of their life for the first time. */
const WARM_UP = 0.25;
const FEWEST = 5;

/** What is always held: nine of ten readings are higher. What the load adds in some moments does not count. */
const alwaysHeld = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 10)] ?? 0;

/** The first third of a run after its warm-up, beside the last. */
export const judgeGrowth = (
  samples: readonly Sample[],
  durationMs: number,
): { growth: Growth[]; violations: string[] } => {
  const third = ((1 - WARM_UP) * durationMs) / 3;
  const early = samples.filter(({ atMs }) => atMs >= WARM_UP * durationMs && atMs < WARM_UP * durationMs + third);
  const late = samples.filter(({ atMs }) => atMs >= durationMs - third);
  if (early.length < FEWEST || late.length < FEWEST) {
    return {
      growth: [],
      violations: [`growth cannot be judged by ${early.length} early and ${late.length} late samples`],
    };
  }
  const nameOf = ({ of, quantity }: Reading): string => `${of} ${quantity}`;
  const all = samples.flatMap(({ readings }) => readings);
  const growth = [...new Map(all.map((each) => [nameOf(each), each])).values()].map(({ of, quantity }) => {
    // What was not there counts as none.
    const valuesIn = (part: readonly Sample[]): number[] =>
      part.map(({ readings }) => readings.find((each) => each.of === of && each.quantity === quantity)?.value ?? 0);
    const [was, is] = [alwaysHeld(valuesIn(early)), alwaysHeld(valuesIn(late))];
    const { share, besides } = TOLERANCE[quantity];
    return { of, quantity, early: was, late: is, grew: is > was * (1 + share) + besides };
  });
  return {
    growth,
    violations: growth.filter(({ grew }) => grew).map((each) => `${each.of} grew: ${describeGrowth(each)}`),
  };
};

const show = (quantity: Quantity, value: number): string => {
  if (quantity === 'resident' || quantity === 'heap' || quantity === 'bytes' || quantity === 'overhead') {
    return `${(value / 2 ** 20).toFixed(2)} MiB`;
  }
  return value.toFixed(quantity.endsWith('a job') ? 2 : 0);
};

/** What grew, or how it stands, for people. */
export const describeGrowth = ({ quantity, early, late }: Growth): string =>
  `${quantity} ${show(quantity, early)} → ${show(quantity, late)}`;
