/** Whose models a call lists: those of the provider that a user's key is brought for, else the platform's. */
import { manifestOf, type UserProvider } from '../../../providers/catalogue.ts';
import { RequestError } from '../../../shared/domain/errors.ts';
import type { PricedModel } from '../../../shared/domain/prices/priced-models.ts';
import type { Config } from '../../../shared/process/config/config.ts';
import { BROUGHT_KEY_ERRORS, broughtKey } from '../../access/brought-key.ts';
import type { ApiContext } from '../../http/context.ts';
import type { JudgedFor } from '../../intake/judge-model.ts';
import type { OfferedModels } from '../../intake/offered-models.ts';
import type { DialectName } from './right-base.ts';

export type ModelNeeds = { offeredModels: OfferedModels; config: Pick<Config, 'sandbox'> };

export const MODEL_HEADERS = ['X-User-API-Key', 'X-User-Provider'] as const;
export const MODEL_ERRORS = [...BROUGHT_KEY_ERRORS, 'user_provider_mismatch'] as const;

const speaks = (provider: UserProvider, dialect: DialectName): boolean =>
  Object.keys(manifestOf(provider).formats).some((format) => format.startsWith(`${dialect}.`));

const accountOf = (c: ApiContext, { config }: ModelNeeds, dialect: DialectName): JudgedFor['account'] => {
  const user = broughtKey(c, config, dialect);
  if (user === null) return { provider: 'bedrock', credential: 'platform' };
  // Nobody calls the provider.
  user.key.forget();
  if (speaks(user.provider, dialect)) return { provider: user.provider, credential: 'user' };
  throw new RequestError('user_provider_mismatch', {
    param: 'X-User-Provider',
    message: `${manifestOf(user.provider).label} does not speak the words of this path.`,
  });
};

export type AskedModels = {
  /** The provider's name. */
  owner: string;
  all: readonly PricedModel[];
  /** The one that the path names. Throws RequestError 404. */
  named: () => PricedModel;
};

export const askedModels = (c: ApiContext, needs: ModelNeeds, dialect: DialectName): AskedModels => {
  const of = { account: accountOf(c, needs, dialect), caller: c.get('caller') };
  return {
    owner: of.account.provider,
    all: needs.offeredModels.list(of),
    named: () => {
      const model = needs.offeredModels.find(c.req.param('model') ?? '', of);
      if (model !== null) return model;
      throw new RequestError('not_found', {
        param: 'model',
        message: 'There is no such model here, or this tenant may not use it; GET …/models lists those that it may.',
      });
    },
  };
};
