/** The figures of an answer. One that is missing or cannot be is unknown (null), never zero, and takes none of the others along. */
import { z } from 'zod';
import type { TokenUsage } from '../../shared/domain/completion.ts';

/** Far more than any model takes; above it a provider's figure is an error, which must not reach the ledger. */
const MAX_TOKENS = 1_000_000_000;

const count = z.int().min(0).max(MAX_TOKENS);

/** A figure that every answer has. */
export const tokenCount = count.nullable().catch(null);

/** A part of another figure, or an extra, that an answer leaves out, or has as null, when there is none of it. */
export const partCount = count
  .nullish()
  .transform((part): number | null => part ?? 0)
  .catch(null);

/** Such parts by their names; an answer that has none of them may leave out the object that they are in. */
export const partCounts = z
  .record(z.string(), partCount)
  .nullish()
  .transform((parts) => ({
    of: (name: string): number | null => (parts ? (parts[name] ?? (name in parts ? null : 0)) : 0),
    /** Whether there is nothing of any other name. */
    hasOnly: (...names: readonly string[]): boolean =>
      Object.entries(parts ?? {}).every(([name, part]) => names.includes(name) || part === 0),
  }))
  .catch(() => ({ of: () => null, hasOnly: () => false }));

/** A term on which an answer was served, such as its tier. */
export const term = z.string().nullish().catch('not a text');

/** Whether a term is that of the price list: it goes by one of these names, or unnamed. */
export const isListed = (named: string | null | undefined, ...names: readonly string[]): boolean =>
  named === null || named === undefined || names.includes(named);

/** Null when one of them is unknown. */
export const sumOf = (...figures: readonly (number | null)[]): number | null =>
  figures.reduce((sum, figure) => (sum === null || figure === null ? null : sum + figure));

type Reported = Pick<TokenUsage, 'inputTokens' | 'outputTokens' | 'cachedInputTokens' | 'cacheWriteTokens'> & {
  hourCacheWriteTokens: number | null;
  webSearches: number | null;
  /** Whether the answer names no term or extra that a price list does not have. */
  listed: boolean;
};

/** Null when the answer reports neither what it read nor what it wrote. */
export const reportedUsage = ({
  hourCacheWriteTokens,
  webSearches,
  listed,
  ...figures
}: Reported): TokenUsage | null => {
  if (figures.inputTokens === null && figures.outputTokens === null) return null;
  return {
    ...figures,
    ...(hourCacheWriteTokens && { hourCacheWriteTokens }),
    ...(webSearches && { webSearches }),
    ...((!listed || hourCacheWriteTokens === null || webSearches === null) && { offList: true as const }),
  };
};

/** No text is written without tokens, and none without any that were read: a zero beside one is no fact. */
export const besideText = (usage: TokenUsage | null, text: string): TokenUsage | null => {
  if (usage === null || text === '') return usage;
  const { inputTokens, outputTokens } = usage;
  if (!inputTokens && !outputTokens) return null;
  return { ...usage, inputTokens: inputTokens || null, outputTokens: outputTokens || null };
};
