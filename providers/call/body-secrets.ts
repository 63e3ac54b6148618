/** Secrets that stand in a body in foreign words, such as those for tools that the provider calls. Whoever refuses them may quote them. */
import { Secret } from '../../shared/keys/secret.ts';

/** Members that hold nothing else: `authorization` of OpenAI's MCP tools, `authorization_token` of Anthropic's MCP servers, and their like. */
const SECRET_NAME = /(?:authorization|token|api[_-]?key|secret|password|credentials?)$/i;
/** Headers for a tool's server: any of them may be a credential. */
const HEADERS_NAME = /headers$/i;
/** What of an address may let in whoever has it: a name before the host, and a query, such as a signature. */
const IN_ADDRESS = /(?<=^[a-z][a-z0-9+.-]*:\/\/)[^/?#]{1,200}(?=@)|\?.+$/gis;
const ADDRESS_NAME = /ur[il]$/i;

/** More cannot be searched for in the time that a worker has for a refusal. Each is searched for at every place of it. */
const MAX_CHARACTERS = 65_536;

class TooMany extends Error {}

/** Adds what may be quoted; throws TooMany. `all`: whether every text is a secret here. */
const gather = (value: unknown, name: string, all: boolean, found: Gathered): void => {
  if (typeof value === 'string') {
    if (all) found.add(value);
    else if (ADDRESS_NAME.test(name)) for (const part of addressParts(value)) found.add(part);
  } else if (typeof value === 'object' && value !== null) {
    const isList = Array.isArray(value);
    for (const [own, part] of Object.entries(value)) {
      const under = isList ? name : own;
      gather(part, under, all || (!isList && (SECRET_NAME.test(own) || HEADERS_NAME.test(own))), found);
    }
  }
};

/** Data in the place of an address is nobody's secret, and long. */
const addressParts = (text: string): string[] => (text.startsWith('data:') ? [] : (text.match(IN_ADDRESS) ?? []));

class Gathered {
  readonly texts = new Set<string>();
  #characters = 0;
  add(text: string): void {
    if (this.texts.has(text)) return;
    this.#characters += text.length;
    if (this.#characters > MAX_CHARACTERS) throw new TooMany();
    this.texts.add(text);
  }
}

/**
 * Builds the body, so it is for a call that was refused. Its depth was bounded when it was accepted. Null if it holds more of them than can
 * be searched for: then nothing that may quote one is fit to be shown.
 */
export const secretsIn = (body: Buffer): Secret[] | null => {
  const found = new Gathered();
  try {
    gather(JSON.parse(body.toString('utf8')), '', false, found);
  } catch (error) {
    if (error instanceof TooMany) return null;
    throw error;
  }
  return [...found.texts].map((text) => new Secret(text));
};
