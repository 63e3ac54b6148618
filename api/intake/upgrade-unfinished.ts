import { RequestError } from '../../shared/domain/errors.ts';

/** An operator is to act. */
const AGAIN_SECONDS = 60;

/** The refusal of what only this release can run, while one that would run half of it may stand beside it. */
export const upgradeUnfinished = (): RequestError =>
  new RequestError('upgrade_unfinished', { retryAfterSeconds: AGAIN_SECONDS });
