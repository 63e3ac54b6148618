/** How long to wait after the first, second, … failed attempt, where the configuration says nothing else: 10 attempts in about 3 days. */
export const DEFAULT_RETRY_SCHEDULE_SECONDS = [
  5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400,
] as const satisfies readonly number[];
