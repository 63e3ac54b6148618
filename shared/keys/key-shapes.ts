/**
 * What looks like a key: the one definition. `holdsKey` finds what can hardly be anything else, so that a text can be refused for it;
 * `withoutKeys` removes whatever may be one. Length alone says nothing: names of parameters and models are long too.
 */
import { manifestOf, PROVIDERS } from '../../providers/catalogue.ts';

/** Keys of providers and of ours, by their whole form. */
const CERTAIN = [
  ...PROVIDERS.flatMap((provider) => manifestOf(provider).certainKeys),
  'gk_[0-9a-z]{26}_[0-9a-z]{40}',
  'whsec_[A-Za-z0-9+/=]{24}',
];
const CERTAIN_KEY = new RegExp(`(?<![A-Za-z0-9])(?:${CERTAIN.join('|')})`);

/** Whether a text, such as a name that a client gives, holds what can hardly be anything but a key. */
export const holdsKey = (text: string): boolean => CERTAIN_KEY.test(text);

/** A key's own characters; a dot or a colon parts names, and JSON web tokens are known by their beginning. */
const RUN = /[A-Za-z0-9+/=_-]{12,}/g;

/** What may follow the beginning of a key. */
const REST = '[^\\s"\'`,;)\\]}\\u3000-\\uffef]*';

const KNOWN: readonly RegExp[] = [
  new RegExp(`(?<![A-Za-z0-9])(?:${CERTAIN.join('|')})${REST}`, 'g'),
  /\bbearer\s+(?!(?:auth|authentication|authorization|header|keys?|scheme|tokens?)\b)\S+/gi,
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*/g,
  // OpenAI's, Anthropic's and Stripe's keys, by what no name begins with.
  new RegExp(`\\b(?:sk-(?:proj|svcacct|admin|ant|or)-|[spr]k_(?:live|test)_)${REST}`, 'gi'),
  // GitHub, GitLab, npm, Slack, Google; AWS access keys, ids of its users and roles, and Bedrock API keys; JSON web tokens.
  /\b(?:gh[oprsu]_|github_pat_|glpat-|npm_|xox[a-z]-|AIza|bedrock-api-key-)[A-Za-z0-9_-]*/g,
  /\b(?:AKIA|ASIA|AROA|AIDA|ABSK|eyJ)[A-Za-z0-9+/=_.-]*/g,
  /\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/gi,
  // Who is meant in an AWS account, the account itself, and what stands in it.
  /\barn:aws[\w-]*:[^\s"'`,;)\]}]*/g,
  /(?<![\w.-])(?:\d{12}|\d{4}-\d{4}-\d{4})(?![\w-])/g,
  /\b(?:vpce|vpc|subnet|sg|eni|i)-[0-9a-f]{8,17}\b/g,
  // Not a role of a conversation.
  /(?<=\broles?[ :/]+["'`]?)(?!(?:tool|function)_)(?=[\w+=@-]*[-_\d])[A-Za-z][\w+=@-]*(?:[.,][\w+=@-]+)*/gi,
  // What a URL holds in front of its host.
  /(?<=:\/\/)[^\s/@]+(?=@)/g,
  // A masked key still shows its ends.
  /[\w+/=.-]*(?:\*{3,}|\u2022{2,})[\w+/=.*\u2022-]*/g,
  /[\w+/=-]*(?:\u2026|\.{3})[\w+/=-]{4,}/g,
];

/** Keys of all these vendors begin so, and names of other things do too. */
const PERHAPS = new RegExp(`\\b(?:[spr]k[-_]|(?:gk|whsec|gsk|hf|r8|fw)_|(?:xai|nvapi|pplx)-)(${REST})`, 'gi');

/** Words of small letters, as in `sk-learn` or `fw_model:`. */
const NAME = /^[a-z]{1,14}(?:[-_.][a-z]{1,14})*[.:!?]?$/;

const AWS_SECRET_LENGTH = 40;

/** How often letters and digits, or small and capital letters, take turns; a capital at the beginning of a word does not count for what follows it. */
const turnsIn = (text: string): number => text.match(/[a-z](?=[A-Z0-9])|[A-Z](?=\d)|\d(?=[A-Za-z])/g)?.length ?? 0;

/** A word without separators: random when it mixes what words and numbers do not mix. */
const isRandomWord = (word: string): boolean => {
  const [hasLetter, hasDigit] = [/[A-Za-z]/.test(word), /\d/.test(word)];
  if (hasLetter && hasDigit) return word.length >= 20 || (word.length >= 12 && turnsIn(word) >= 3);
  return word.length >= 40 || (word.length >= 20 && (hasDigit || turnsIn(word) >= word.length / 5));
};

/** Base64 has slashes and plus signs where paths and lists have them. So long as a secret of AWS, which need not hold a digit, few paths are. */
const isRandomBase64 = (text: string): boolean => {
  if (text.length < 20 || !/[a-z]/.test(text) || !/[A-Z]/.test(text)) return false;
  return text.length >= AWS_SECRET_LENGTH
    ? turnsIn(text) >= text.length / 10
    : /\d/.test(text) && turnsIn(text) >= text.length / 6;
};

const isRandom = (run: string): boolean =>
  run.split(/[-_/+=]+/).some(isRandomWord) || run.split(/[-=]/).some(isRandomBase64);

/** The text with `mark` in place of everything in it that looks like a key. */
export const withoutKeys = (text: string, mark: string): string => {
  let shown = text;
  for (const pattern of KNOWN) shown = shown.replace(pattern, mark);
  shown = shown.replace(PERHAPS, (whole, rest: string) => (NAME.test(rest) ? whole : mark));
  return shown.replace(RUN, (run) => (isRandom(run) ? mark : run));
};
