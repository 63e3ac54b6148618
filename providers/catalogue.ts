/** The only list of providers: names, types, variables, documents and tests derive from it. */
import { ANTHROPIC } from './anthropic/manifest.ts';
import { BEDROCK } from './bedrock/manifest.ts';
import type { Manifest, UserManifest } from './manifest.ts';
import { OPENAI } from './openai/manifest.ts';
import { VENDORS } from './openai-compatible/vendors.ts';

/** By the names that requests, records and variables have; those of user providers are what `X-User-Provider` takes. */
const CATALOGUE = {
  openai: OPENAI,
  anthropic: ANTHROPIC,
  bedrock: BEDROCK,
  ...VENDORS,
} as const satisfies Record<string, Manifest>;

type Catalogue = typeof CATALOGUE;
export type Provider = keyof Catalogue;
export type UserProvider = { [P in Provider]: Catalogue[P]['account'] extends 'user' ? P : never }[Provider];

// A cast because Object.keys forgets which keys an object has.
export const PROVIDERS = Object.keys(CATALOGUE) as Provider[];

const isUserProvider = (provider: Provider): provider is UserProvider => CATALOGUE[provider].account === 'user';
/** Those that a user may bring a key for. */
export const USER_PROVIDERS: readonly UserProvider[] = PROVIDERS.filter(isUserProvider);

export const manifestOf = (provider: Provider): Manifest => CATALOGUE[provider];
export const userManifestOf = (provider: UserProvider): UserManifest => CATALOGUE[provider];

export const perProvider = <T>(of: (provider: Provider) => T): Record<Provider, T> =>
  // A cast because Object.fromEntries forgets which keys it was given.
  Object.fromEntries(PROVIDERS.map((provider) => [provider, of(provider)])) as Record<Provider, T>;

/** Names another base URL than the provider's own. */
export const urlVariable = <P extends Provider>(provider: P): `PROVIDER_${Uppercase<P>}_URL` =>
  // A cast because toUpperCase forgets its argument.
  `PROVIDER_${provider.toUpperCase() as Uppercase<P>}_URL`;

/** Where the stand-in of a provider is in the sandbox: its name, and then the path of its own base URL. */
export const sandboxPath = (provider: Provider): string => {
  const { baseUrl } = manifestOf(provider);
  return `/${provider}${baseUrl === null ? '' : new URL(baseUrl).pathname.replace(/\/$/, '')}`;
};
