/** Secrets that stand in a body in foreign words, such as those for tools that the provider calls. Whoever refuses them may quote them. */
import { Secret } from '../../shared/keys/secret.ts';

/** Members that hold nothing else: `authorization` of OpenAI's MCP tools, `authorization_token` of Anthropic's MCP servers, and their like. */
const SECRET_NAME = /(?:^|_)(?:authorization|token|api_?key|secret|password)$/i;

const textsIn = (value: unknown): string[] => {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : [];
};

const secretTexts = (value: unknown): string[] => {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, part]) =>
    // Headers for a tool's server: any of them may be a credential.
    SECRET_NAME.test(name) || name.toLowerCase() === 'headers' ? textsIn(part) : secretTexts(part),
  );
};

/** Builds the body, so it is for a call that was refused. Its depth was bounded when it was accepted. */
export const secretsIn = (body: Buffer): Secret[] =>
  [...new Set(secretTexts(JSON.parse(body.toString('utf8'))))].map((text) => new Secret(text));
