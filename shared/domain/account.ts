import type { Provider } from '../../providers/catalogue.ts';
import type { CredentialKind } from './completion.ts';

/** Whose account at a provider a call runs on. A job's lane, rate limit, budget and price follow from it. */
export type Account = {
  provider: Provider;
  credential: CredentialKind;
  /** Stands for the user's key within its tenant; null on the platform's account. */
  fingerprint: string | null;
};
