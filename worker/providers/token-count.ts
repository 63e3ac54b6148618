import { z } from 'zod';

/** Far more than any model takes; above it a provider's figure is an error, which must not reach the ledger. */
const MOST_TOKENS = 1_000_000_000;

/** A number of tokens as a provider reports it. */
export const tokenCount = z.int().min(0).max(MOST_TOKENS);
