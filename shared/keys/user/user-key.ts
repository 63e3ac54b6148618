/**
 * The first thing that happens to a user's own provider key: its form is checked, and it is wrapped. It comes before anything else
 * touches the value, because a header with a line feed or NUL in it makes the HTTP stack throw an error that holds the whole key.
 */
import { USER_PROVIDERS, type UserProvider, userManifestOf } from '../../../providers/catalogue.ts';
import type { KeyForm } from '../../../providers/manifest.ts';
import { RequestError } from '../../domain/errors.ts';
import { anyOf } from '../../domain/wording/any-of.ts';
import { Secret } from '../secret.ts';

const KEY_HEADER = 'X-User-API-Key';
const PROVIDER_HEADER = 'X-User-Provider';

// Lengths and endings of keys change without notice; only the alphabet and these wide limits hold. Checked before any pattern runs.
const MIN_CHARACTERS = 16;
const MAX_CHARACTERS = 400;
const ALPHABET = /^[A-Za-z0-9_-]+$/;

type KeyKind = {
  provider: UserProvider;
  begins: string;
  /** A documented sample: in sandbox mode only these are taken. */
  sample?: true;
  /** Why a key of this kind cannot run a completion, and what to create instead. */
  refusal?: string;
};

/** Kinds of keys by how they begin; what begins in a longer way is the more exact, so the first that matches counts. */
const KEY_KINDS: readonly KeyKind[] = USER_PROVIDERS.flatMap((provider): KeyKind[] => {
  const { form, samplesBegin, refused } = userManifestOf(provider).keys;
  return [
    ...form.begins.map((begins) => ({ provider, begins })),
    { provider, begins: samplesBegin, sample: true },
    ...refused.map(({ begins, because }) => ({ provider, begins, refusal: because })),
  ];
}).toSorted((one, other) => other.begins.length - one.begins.length);

export type UserCredential = { provider: UserProvider; key: Secret };

/**
 * The user's credential from the two header values, `undefined` where a header is absent; null when both are.
 * Throws RequestError for everything else that is not a well-formed key of the named provider: whoever tried to bring a key
 * never runs on the platform's account. All messages are fixed sentences.
 */
export const checkUserKey = (
  { key, provider }: { key: string | undefined; provider: string | undefined },
  { sandbox }: { sandbox: boolean },
): UserCredential | null => {
  if (key === undefined && provider === undefined) return null;
  if (provider === undefined || provider === '') {
    throw new RequestError('user_provider_required', { param: PROVIDER_HEADER });
  }
  const known = USER_PROVIDERS.find((name) => name === provider);
  if (known === undefined) throw new RequestError('user_provider_unknown', { param: PROVIDER_HEADER });
  if (key === undefined) throw new RequestError('user_key_required', { param: KEY_HEADER });

  const refusal = refusalOf(key, known, sandbox);
  if (refusal !== null) {
    throw new RequestError('user_key_malformed', { param: KEY_HEADER, message: `${KEY_HEADER} ${refusal}.` });
  }
  return { provider: known, key: new Secret(key) };
};

/** The kind of a key that has the form of one: what its beginning tells, or that it is wholly of the form of the provider that is named. */
const kindOf = (key: string, provider: UserProvider): KeyKind | undefined => {
  if (key.length < MIN_CHARACTERS || key.length > MAX_CHARACTERS) return undefined;
  const kind = KEY_KINDS.find(({ begins }) => key.startsWith(begins));
  if (kind !== undefined) return ALPHABET.test(key.slice(kind.begins.length)) ? kind : undefined;
  const { form } = userManifestOf(provider).keys;
  return 'whole' in form && form.whole.test(key) ? { provider, begins: '' } : undefined;
};

const inWords = (form: KeyForm): string =>
  'whole' in form
    ? `has ${form.inWords}`
    : `begins with ${anyOf(form.begins)} and has ${MIN_CHARACTERS} to ${MAX_CHARACTERS} letters, digits, "-" and "_"`;

const aKeyOf = (provider: UserProvider): string => {
  const { label } = userManifestOf(provider);
  return `${/^[AEIOU]/.test(label) ? 'an' : 'a'} ${label} key`;
};

const SAMPLES = USER_PROVIDERS.map((name) => `${userManifestOf(name).keys.samplesBegin}… for ${name}`).join(', ');

const refusalOf = (key: string, provider: UserProvider, sandbox: boolean): string | null => {
  if (key === '') return 'is empty';
  const kind = kindOf(key, provider);
  if (kind === undefined) {
    const { form, sample } = userManifestOf(provider).keys;
    const example = sandbox ? `, such as ${sample}` : '';
    return `does not have the form of ${aKeyOf(provider)}: send exactly one, which ${inWords(form)}${example}`;
  }
  if (sandbox && kind.sample !== true) {
    return `looks like a real key, and this gateway runs in sandbox mode, which takes only sample keys: ${SAMPLES}. Real keys need a gateway that was started with SANDBOX=false`;
  }
  if (kind.refusal !== undefined) return kind.refusal;
  if (kind.provider !== provider)
    return `has the form of ${aKeyOf(kind.provider)}, but ${PROVIDER_HEADER} is ${provider}`;
  return null;
};
