/** What a body in foreign words asks for, as far as it matters here: its model, its cost, and what is refused of it. */
import { manifestOf } from '../../../providers/catalogue.ts';
import type { ForeignFormat } from '../../../providers/manifest.ts';
import { DEFAULT_MAX_TOKENS, modelName } from '../../../shared/domain/completion.ts';
import { RequestError } from '../../../shared/domain/errors.ts';
import type { ForwardedHeaders } from '../../../shared/domain/formats.ts';
import { plainJson } from '../../../shared/domain/json/plain-json.ts';
import { type Splices, spliceMembers } from '../../../shared/domain/json/splice-members.ts';
import { maxTokens } from '../../../shared/domain/prices/max-tokens.ts';
import { budgetNano } from '../../../shared/domain/tenants/limits.ts';
import { holdsKey } from '../../../shared/keys/key-shapes.ts';
import type { NewJob } from '../../../shared/storage/jobs/accept-job.ts';
import type { JudgedFor, JudgeModel } from '../judge-model.ts';
import { streamFlag } from '../stream-flag.ts';
import { demandBounded } from './demand-bounded.ts';
import { type ForeignBody, readForeign } from './read-foreign.ts';
import { WORDS, type Words } from './words.ts';

export type ForeignOffer = { format: ForeignFormat; bytes: Buffer; headers: ForwardedHeaders };

/** What the request is found to be; throws RequestError 400 for one that cannot be understood. */
export type JudgeForeign = (
  offer: ForeignOffer,
  of: JudgedFor,
) => Pick<NewJob, 'model' | 'asked' | 'streamed' | 'needs' | 'tokens' | 'cost' | 'refusal'>;

const BYTES_A_TOKEN = 3;
/** What an image or document usually comes to. */
const TOKENS_AN_OPAQUE = 1_500;
/** What providers add to a request: a chat template, and instructions for tools. */
const MAX_TOKENS_ADDED = 2_048;

/** A text that is kept in a cache for so long costs twice as much as one that is not. */
const HOUR_IN_CACHE = '"1h"';

const READ_BY_ALL = ['model', 'stream', 'tools', 'service_tier'] as const;

const modelOf = (body: ForeignBody): string => {
  const model = body.scalar('model');
  const refuse = (message: string): RequestError => new RequestError('invalid_body', { param: 'model', message });
  if (model === undefined) throw refuse('model is required, in the provider’s own naming.');
  if (typeof model !== 'string' || !modelName.safeParse(model).success) throw refuse('model must be a model’s name.');
  if (holdsKey(model)) throw refuse('model holds what looks like a key; keys belong in headers only.');
  return model;
};

/** Whole numbers above 0 under these names; what else stands there is the provider's to judge. */
const countsOf = (body: ForeignBody, names: readonly string[]): number[] =>
  names.flatMap((name) => {
    const value = body.scalar(name);
    return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? [value] : [];
  });

const demandNothingStored = (body: ForeignBody, { stored }: Words): void => {
  const name = stored.find((each) => (body.scalar(each) ?? null) !== null);
  if (name === undefined) return;
  throw new RequestError('unknown_previous_response', {
    param: name,
    message: `${name} names what lies at the provider, and nobody can tell here whose that is; send the whole conversation.`,
  });
};

export const createJudgeForeign =
  ({ refusalOf, costOf }: JudgeModel): JudgeForeign =>
  ({ format, bytes, headers }, of) => {
    const words: Words = WORDS[format];
    const { limits, count, stored, replaced, bounded } = words;
    const counted = count === null ? [] : [count];
    const body = readForeign(bytes, [...READ_BY_ALL, ...limits, ...counted, ...stored, ...replaced, ...bounded]);
    const model = modelOf(body);
    const streamed = streamFlag(body.scalar('stream'));
    demandNothingStored(body, words);

    const { provider, credential } = of.account;
    const isBudgeted = budgetNano(of.caller.limits, credential) !== null;
    if (isBudgeted) demandBounded(body, words);
    const named = countsOf(body, limits);
    const answers = Math.max(1, ...countsOf(body, counted));
    const outputTokens = answers * (named.length > 0 ? Math.max(...named) : DEFAULT_MAX_TOKENS);
    const likely =
      Math.ceil((bytes.length - body.opaque.bytes) / BYTES_A_TOKEN) + body.opaque.strings * TOKENS_AN_OPAQUE;

    // Nothing else bounds the answer.
    const limit = manifestOf(provider).formats[format]?.limit;
    const splices: Splices = {
      ...Object.fromEntries(replaced.filter((name) => body.members.has(name)).map((name) => [name, null])),
      ...(isBudgeted && named.length === 0 && limit !== undefined && { [limit]: String(DEFAULT_MAX_TOKENS) }),
    };
    const sent = Object.keys(splices).length > 0 ? spliceMembers(bytes, body.members, splices) : bytes;
    const judged = {
      model,
      asked: { format, body: sent, headers },
      streamed,
      needs: [],
      tokens: likely + outputTokens,
    };
    const refusal = refusalOf(model, of);
    if (refusal !== null) return { ...judged, cost: null, refusal };
    try {
      const max = () => {
        const text = plainJson(body.bytes);
        return {
          inputTokens: maxTokens(text) + MAX_TOKENS_ADDED,
          outputTokens,
          ...(text.includes(HOUR_IN_CACHE) && { hourCache: true as const }),
        };
      };
      return { ...judged, cost: costOf(model, max, of), refusal: null };
    } catch (error) {
      if (error instanceof RequestError) return { ...judged, cost: null, refusal: error };
      throw error;
    }
  };
