/** What a job may need that not every release's worker can do. One that lacks something hands the job back untouched. */
import { FOREIGN_FORMATS } from '../../providers/manifest.ts';

/** Reading bodies in pieces, sealed ones, and those that are no JSON of our own. */
export const STORED_BODIES = 'bodies';

/** What this release's workers can do. */
export const ABILITIES = [STORED_BODIES, ...FOREIGN_FORMATS] as const satisfies readonly string[];
