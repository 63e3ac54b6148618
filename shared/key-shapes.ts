/** What looks like a key, by known beginnings and by what is random. Length alone says nothing: names of parameters and models are long too. */

/** A key's own characters; a dot or a colon parts names, and JSON web tokens are known by their beginning. */
const RUN = /[A-Za-z0-9+/=_-]{12,}/g;

const KNOWN: readonly RegExp[] = [
  /\bbearer\s+(?!(?:auth|authentication|authorization|header|keys?|scheme|tokens?)\b)\S+/gi,
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*/g,
  // OpenAI, Anthropic, our own and Stripe-like keys; other providers of models.
  /\b(?:sk|pk|rk|gk|whsec|gsk|hf|xai|nvapi|r8|pplx|fw)[-_][^\s"'`,;)\]}\u3000-\uffef]*/gi,
  // GitHub, GitLab, npm, Slack, Google; AWS access keys and Bedrock API keys; JSON web tokens.
  /\b(?:gh[oprsu]_|github_pat_|glpat-|npm_|xox[a-z]-|AIza|bedrock-api-key-)[A-Za-z0-9_-]*/g,
  /\b(?:AKIA|ASIA|ABSK|eyJ)[A-Za-z0-9+/=_.-]*/g,
  /\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/gi,
  // Who is meant in an AWS account.
  /\barn:aws[\w-]*:[^\s"'`,;)\]}]*/g,
  // What a URL holds in front of its host.
  /(?<=:\/\/)[^\s/@]+(?=@)/g,
  // A masked key still shows its ends.
  /[\w+/=.-]*(?:\*{3,}|\u2022{2,})[\w+/=.*\u2022-]*/g,
  /[\w+/=-]*(?:\u2026|\.{3})[\w+/=-]{4,}/g,
];

/** How often letters and digits, or small and capital letters, take turns; a capital at the beginning of a word does not count for what follows it. */
const turnsIn = (text: string): number => text.match(/[a-z](?=[A-Z0-9])|[A-Z](?=\d)|\d(?=[A-Za-z])/g)?.length ?? 0;

/** A word without separators: random when it mixes what words and numbers do not mix. */
const isRandomWord = (word: string): boolean => {
  const [hasLetter, hasDigit] = [/[A-Za-z]/.test(word), /\d/.test(word)];
  if (hasLetter && hasDigit) return word.length >= 20 || (word.length >= 12 && turnsIn(word) >= 3);
  return word.length >= 40 || (word.length >= 20 && (hasDigit || turnsIn(word) >= word.length / 5));
};

/** Base64 has slashes and plus signs where paths and lists have them. */
const isRandomBase64 = (text: string): boolean =>
  text.length >= 20 && /\d/.test(text) && /[a-z]/.test(text) && /[A-Z]/.test(text) && turnsIn(text) >= text.length / 6;

const isRandom = (run: string): boolean =>
  run.split(/[-_/+=]+/).some(isRandomWord) || run.split('-').some(isRandomBase64);

/** The text with `mark` in place of everything in it that looks like a key. */
export const withoutKeys = (text: string, mark: string): string => {
  let shown = text;
  for (const pattern of KNOWN) shown = shown.replace(pattern, mark);
  return shown.replace(RUN, (run) => (isRandom(run) ? mark : run));
};
