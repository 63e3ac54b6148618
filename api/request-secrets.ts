/**
 * What a request holds that is nobody's but its sender's. Node keeps the last request of a connection for as long as that is
 * open, and an answer may be waited for: so a secret is taken out of the request when it is read, and all is forgotten at the end.
 */
import type { IncomingMessage } from 'node:http';
import type { ApiContext } from './context.ts';

/** All values of a header as they came; the request has none of them afterwards. */
export const takeHeader = (c: ApiContext, name: string): string[] => {
  const { incoming } = c.env;
  const [raw, key] = [incoming.rawHeaders, name.toLowerCase()];
  const values: string[] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    if (raw[index]?.toLowerCase() !== key) continue;
    values.push(raw[index + 1] ?? '');
    raw.splice(index, 2);
    index -= 2;
  }
  delete incoming.headers[key];
  delete incoming.headersDistinct[key];
  c.req.raw.headers.delete(key);
  return values;
};

/** A key may stand in any header, and in the query, where it does not belong. */
export const forgetRequest = (incoming: IncomingMessage): void => {
  incoming.rawHeaders.length = 0;
  incoming.headers = {};
  incoming.headersDistinct = {};
  incoming.url = '';
};
