/** The operator's own prices: models that the built-in list does not know, and contracts that differ from it. */
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { PROVIDERS, type Provider } from '../../../providers/catalogue.ts';
import { modelName } from '../completion.ts';

/** Far more than any model costs, and little enough that no cost leaves the whole numbers that JavaScript tells apart. */
const MOST_USD = 1_000;
const usd = z.number().min(0).max(MOST_USD);

const price = z.strictObject({
  model: modelName,
  provider: z.enum(PROVIDERS).optional(),
  input: usd,
  cached_input: usd.optional(),
  cache_write: usd.optional(),
  output: usd,
});

const fileForm = z.strictObject({ usd_per_million_tokens: z.array(price).min(1).max(10_000) });

/** US dollars for a million tokens. Without a price of their own, tokens read from or written to a cache cost what other input costs. */
export type ModelPrice = Omit<z.infer<typeof price>, 'model' | 'provider'>;

export type PriceFile = {
  /** The beginning of the file's SHA-256, as `sha256sum` prints it. */
  version: string;
  /** The price of exactly this model; one that names the provider comes before one that does not. */
  find: (provider: Provider, model: string) => ModelPrice | undefined;
  /** Those that it prices for this provider by name. */
  models: (provider: Provider) => readonly string[];
};

type Read = { ok: true; prices: PriceFile } | { ok: false; problems: string[] };

/** `problems` are whole sentences, one for each mistake. They quote neither the path, which may be a secret in the wrong place, nor anything of the file but names of fields. */
export const readPriceFile = (path: string): Read => {
  const refuse = (...problems: string[]): Read => ({
    ok: false,
    problems: problems.map((problem) => `PRICE_FILE: ${problem}.`),
  });
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    return refuse(`the file cannot be read (${code})`);
  }
  const json = parseJson(bytes);
  if (json === undefined) return refuse('the file must be JSON in UTF-8');
  const parsed = fileForm.safeParse(json);
  if (!parsed.success) {
    return refuse(
      ...parsed.error.issues.map(({ path: at, message }) => `${z.core.toDotPath(at) || 'the file'}: ${message}`),
    );
  }

  const prices = new Map<string, ModelPrice>();
  const problems: string[] = [];
  for (const [index, { model, provider, ...usdPerMillion }] of parsed.data.usd_per_million_tokens.entries()) {
    const id = idOf(provider, model);
    if (prices.has(id)) problems.push(`usd_per_million_tokens[${index}]: prices a model again`);
    prices.set(id, usdPerMillion);
  }
  if (problems.length > 0) return refuse(...problems);
  return {
    ok: true,
    prices: {
      version: hash('sha256', bytes).slice(0, 12),
      models: (provider) =>
        parsed.data.usd_per_million_tokens.flatMap((priced) => (priced.provider === provider ? priced.model : [])),
      find: (provider, model) => prices.get(idOf(provider, model)) ?? prices.get(idOf(undefined, model)),
    },
  };
};

const idOf = (provider: Provider | undefined, model: string): string => `${provider ?? 'any'} ${model}`;

/** Undefined where it is no JSON. */
const parseJson = (bytes: Buffer): unknown => {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
};
