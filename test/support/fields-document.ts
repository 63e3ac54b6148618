/** The reference of what each provider takes, written from their manifests. */
import { manifestOf, PROVIDERS } from '../../providers/catalogue.ts';
import { type Feature, featuresOf } from '../../providers/features.ts';

const INTRODUCTION = `# What each provider takes

Of [a request](complete.md): ✔ goes to the provider, ✘ is refused at submission with 400
\`unsupported_by_provider\`, or left out with \`on_unsupported: "warn"\`. Texts, \`tools\`,
\`max_tokens\`, \`top_p\` and \`stop\` go to all. What a single model refuses, its provider says
itself. What no public document says of a provider is not sent to it.

- \`temperature\` goes up to the number. Anthropic takes \`temperature\`, \`top_p\` and \`top_k\` in
  the version 2023-06-01 of its API, in which such a request is sent.
- \`service_tier: default\` is \`standard_only\` on Anthropic and \`on_demand\` on Groq.
- \`user\` is \`metadata.user_id\` on Anthropic and \`requestMetadata.user\` on Bedrock, where it is
  letters, digits, blanks and \`:_@$#=/+,.-\`.
- \`seed\` is \`random_seed\` on Mistral. \`top_k\` and \`reasoning.budget_tokens\` are fields of the
  model on Bedrock.
- \`cache_control\` has no time on OpenAI, which takes a mark on parts.
- \`n: 1\`, \`logprobs: false\`, \`parallel_tool_calls: true\`, \`is_error: false\` and
  \`response_format: text\` are what every provider does by itself.
- “Arguments as values”: the arguments of earlier calls go as JSON values, so those that reading
  would change are refused.
`;

const mark = (taken: boolean): string => (taken ? '✔' : '✘');

const ROWS: Readonly<Record<string, (provider: (typeof PROVIDERS)[number]) => string>> = {
  temperature: (provider) => String(manifestOf(provider).takes.temperature[1]),
  'a last message of `assistant`': (provider) => mark(manifestOf(provider).takes.lastMessage === 'any'),
  'arguments as values': (provider) => (manifestOf(provider).takes.arguments === 'parsed' ? 'yes' : 'no'),
};

const aligned = (rows: readonly (readonly string[])[]): string => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(3, ...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`);
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [lines[0], rule, ...lines.slice(1)].join('\n');
};

/** All features, in the order of the reference. A cast because Object.keys forgets which keys an object has. */
export const FEATURES = Object.keys(featuresOf(manifestOf('openai').takes)) as Feature[];

export const fieldsDocument = (): string => {
  const head = ['field', ...PROVIDERS.map((provider) => manifestOf(provider).label)];
  const values = Object.entries(ROWS).map(([name, of]) => [name, ...PROVIDERS.map(of)]);
  const features = FEATURES.map((feature) => [
    `\`${feature}\``,
    ...PROVIDERS.map((provider) => mark(featuresOf(manifestOf(provider).takes)[feature])),
  ]);
  return `${INTRODUCTION}\n${aligned([head, ...values, ...features])}\n`;
};
