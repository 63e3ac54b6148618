/** What a job may need that not every release's worker can do. One that lacks something hands the job back untouched. */

/** What this release's workers can do. */
export const ABILITIES = [] as const satisfies readonly string[];
