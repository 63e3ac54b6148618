/**
 * What a request holds that is nobody's but its sender's. Node keeps the last request of a connection for as long as that is
 * open, and an answer may be waited for: so keys are parted from the request before anything copies its headers, each is given
 * out once, and all is forgotten at the end.
 */
import type { IncomingMessage } from 'node:http';
import type { ApiContext } from '../context.ts';

const HEADERS = ['X-API-Key', 'Authorization', 'X-User-API-Key', 'Idempotency-Key'] as const;
export type SecretHeader = (typeof HEADERS)[number];
const byLowerCase: ReadonlyMap<string, SecretHeader> = new Map(HEADERS.map((name) => [name.toLowerCase(), name]));

const parted = new WeakMap<IncomingMessage, Map<SecretHeader, string[]>>();

/** Takes the keys out of a request's headers. To be called before anything else reads them. */
export const partSecrets = (incoming: IncomingMessage): void => {
  const raw = incoming.rawHeaders;
  const secrets = new Map<SecretHeader, string[]>();
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const lowerCase = raw[index]?.toLowerCase() ?? '';
    const name = byLowerCase.get(lowerCase);
    if (name === undefined) continue;
    secrets.set(name, [...(secrets.get(name) ?? []), raw[index + 1] ?? '']);
    // In its place: Node makes its other forms of the headers from these, by their number.
    raw[index + 1] = '';
    delete incoming.headers[lowerCase];
  }
  parted.set(incoming, secrets);
};

/** Whether a header came, and was not taken yet. */
export const isSent = (c: ApiContext, name: SecretHeader): boolean => parted.get(c.env.incoming)?.has(name) ?? false;

/** All values of a header as they came, at the first call; none afterwards. */
export const takeHeader = (c: ApiContext, name: SecretHeader): string[] => {
  const secrets = parted.get(c.env.incoming);
  const values = secrets?.get(name) ?? [];
  secrets?.delete(name);
  return values;
};

/** A key may stand in any header, and in the query, where it does not belong. */
export const forgetRequest = (incoming: IncomingMessage): void => {
  parted.delete(incoming);
  incoming.rawHeaders.length = 0;
  incoming.headers = {};
  incoming.headersDistinct = {};
  incoming.url = '';
};
