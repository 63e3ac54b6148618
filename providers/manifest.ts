/** What everybody may know of a provider. It is data alone: whoever reads it needs no adapter, no SDK and no store. */
import type { ImageTokens, Takes } from './takes.ts';

/** The words of providers' own interfaces in which a request may come and its answer go. */
export const FOREIGN_FORMATS = [
  'openai.chat',
  'openai.responses',
  'openai.embeddings',
  'anthropic.messages',
  'anthropic.count_tokens',
] as const;
export type ForeignFormat = (typeof FOREIGN_FORMATS)[number];

/** How a streamed Chat Completion tells what it used. */
export type StreamedUsage = 'always' | 'if_asked';

/** How keys of users look. They are letters, digits, "-" and "_" behind one of the beginnings. */
export type KeyForm =
  | { begins: readonly [string, ...string[]] }
  /** If nothing at its beginning tells whose key it is; `inWords` ends “a key has …”. */
  | { begins: readonly []; whole: RegExp; inWords: string };

export type UserKeys = {
  form: KeyForm;
  /** A key of this form that no provider issues, and how all such begin: the sandbox takes no others. */
  sample: string;
  samplesBegin: string;
  /** Keys that cannot run a completion, by their longer beginnings: what they are, and what to create instead. */
  refused: readonly { begins: string; because: string }[];
};

type Known = {
  /** As people call it. */
  label: string;
  /** In the form of `PROVIDER_<NAME>_URL`; null if it depends on the region. */
  baseUrl: string | null;
  /** Its id in `@pydantic/genai-prices`. */
  priceList: string;
  /** Regular expressions of what can hardly be anything but a credential of this provider; none if nothing is so sure. */
  certainKeys: readonly string[];
  /** A model that its price list has. */
  model: string;
  /** What is not taken is refused at submission; what a single model refuses, the provider says itself. */
  takes: Takes;
  /** For estimates; the last row matches every model. */
  imageTokens: readonly [ImageTokens, ...ImageTokens[]];
  /** Of which its own interface understands a body: such are sent as they came. */
  formats: Readonly<
    Partial<
      Record<
        ForeignFormat,
        { /** Its name for the limit of an answer; null if there is nothing to limit. */ limit: string | null }
      >
    >
  >;
  links: {
    /** Where its credentials are made. */
    keys: string;
    /** The reference of the call that the adapter makes. */
    api: string;
  };
};

/** One that users bring keys for. */
export type UserManifest = Known & { account: 'user'; baseUrl: string; keys: UserKeys };
/** One that runs on the platform's own account. */
export type PlatformManifest = Known & { account: 'platform' };
export type Manifest = UserManifest | PlatformManifest;
