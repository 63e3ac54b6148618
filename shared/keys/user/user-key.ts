/**
 * The first thing that happens to a user's own provider key: its form is checked, and it is wrapped. It comes before anything else
 * touches the value, because a header with a line feed or NUL in it makes the HTTP stack throw an error that holds the whole key.
 */
import { USER_PROVIDERS, type UserProvider } from '../../domain/completion.ts';
import { RequestError } from '../../domain/errors.ts';
import { Secret } from '../secret.ts';

const KEY_HEADER = 'X-User-API-Key';
const PROVIDER_HEADER = 'X-User-Provider';

// Lengths and endings of keys change without notice; only the alphabet and these wide limits hold. Checked before any pattern runs.
const MIN_CHARACTERS = 16;
const MAX_CHARACTERS = 400;
const ALPHABET = /^[A-Za-z0-9_-]+$/;

type KeyKind = {
  provider: UserProvider;
  begins: RegExp;
  /** A documented sample: in sandbox mode only these are taken. */
  sample?: true;
  /** Why a key of this kind cannot run a completion, and what to create instead. */
  refusal?: string;
};

/** The first kind that matches counts. Prefixes: https://platform.openai.com/api-keys, https://console.anthropic.com/settings/keys. */
const KEY_KINDS: readonly KeyKind[] = [
  {
    provider: 'anthropic',
    begins: /^sk-ant-admin/,
    refusal:
      'is an Anthropic admin key, which cannot call models; create an API key in the Anthropic Console, under API keys',
  },
  {
    provider: 'anthropic',
    begins: /^sk-ant-(?:oat|ort)/,
    refusal:
      'is an Anthropic OAuth token, which belongs to one login; create an API key in the Anthropic Console, under API keys',
  },
  {
    provider: 'anthropic',
    begins: /^sk-ant-sid/,
    refusal: 'is the token of a login to Anthropic; create an API key in the Anthropic Console, under API keys',
  },
  { provider: 'anthropic', begins: /^sk-ant-user-/, sample: true },
  { provider: 'anthropic', begins: /^sk-ant-/ },
  {
    provider: 'openai',
    begins: /^sk-admin-/,
    refusal: 'is an OpenAI admin key, which cannot call models; create a project key at platform.openai.com/api-keys',
  },
  { provider: 'openai', begins: /^sk-user-/, sample: true },
  { provider: 'openai', begins: /^sk-/ },
];

/** How refusals name a provider, and what they tell of the form of its keys; `sample` is one that the sandbox takes. */
const SHOWN = {
  openai: { name: 'OpenAI', begins: 'sk-', sample: 'sk-user-openai-key' },
  anthropic: { name: 'Anthropic', begins: 'sk-ant-', sample: 'sk-ant-user-anthropic-key' },
} as const satisfies Record<UserProvider, { name: string; begins: string; sample: string }>;

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

const refusalOf = (key: string, provider: UserProvider, sandbox: boolean): string | null => {
  if (key === '') return 'is empty';
  const wellFormed = key.length >= MIN_CHARACTERS && key.length <= MAX_CHARACTERS && ALPHABET.test(key);
  const kind = wellFormed ? KEY_KINDS.find(({ begins }) => begins.test(key)) : undefined;
  if (kind === undefined) {
    const { name, begins, sample } = SHOWN[provider];
    const example = sandbox ? `, such as ${sample}` : '';
    return `does not have the form of an ${name} key: send exactly one, which begins with ${begins} and has ${MIN_CHARACTERS} to ${MAX_CHARACTERS} letters, digits, "-" and "_"${example}`;
  }
  if (sandbox && kind.sample !== true) {
    return 'looks like a real key, and this gateway runs in sandbox mode, which takes only sample keys: sk-user-… for openai, sk-ant-user-… for anthropic. Real keys need a gateway that was started with SANDBOX=false';
  }
  if (kind.refusal !== undefined) return kind.refusal;
  if (kind.provider !== provider) {
    return `has the form of an ${SHOWN[kind.provider].name} key, but ${PROVIDER_HEADER} is ${provider}`;
  }
  return null;
};
