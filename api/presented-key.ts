/** The key a request presents; only the form is judged here. */
import { RequestError } from '../shared/errors.ts';
import type { ApiContext } from './context.ts';

export type PresentedKey = { key: string; param: 'X-API-Key' | 'Authorization' };

/** The platform key; throws where the headers contradict each other or there is none. */
export const presentedPlatformKey = (c: ApiContext): PresentedKey => {
  // Node joins some repeated headers and keeps the first of others: only the raw list shows them.
  for (const name of ['X-API-Key', 'Authorization']) demandOnce(c, name);
  const apiKey = c.req.header('x-api-key');
  const authorization = c.req.header('authorization');
  if (authorization === undefined) {
    if (!apiKey) throw new RequestError('missing_api_key', { param: 'X-API-Key' });
    return { key: apiKey, param: 'X-API-Key' };
  }
  const bearer = bearerIn(authorization, 'Send Authorization: Bearer <platform key>, or X-API-Key alone.');
  if (apiKey !== undefined && apiKey !== bearer) {
    throw new RequestError('invalid_header', {
      param: 'Authorization',
      message: 'X-API-Key and Authorization hold different keys; send one of them.',
    });
  }
  return { key: bearer, param: 'Authorization' };
};

/** The operator's token; no other header counts. */
export const presentedAdminToken = (c: ApiContext): string => {
  demandOnce(c, 'Authorization');
  const authorization = c.req.header('authorization');
  const message = 'Send Authorization: Bearer <ADMIN_TOKEN>.';
  if (authorization === undefined) throw new RequestError('missing_api_key', { param: 'Authorization', message });
  return bearerIn(authorization, message);
};

const bearerIn = (authorization: string, message: string): string => {
  const [, bearer] = /^Bearer +(\S+)$/i.exec(authorization) ?? [];
  if (bearer === undefined) throw new RequestError('invalid_header', { param: 'Authorization', message });
  return bearer;
};

/** Refuses a header that is there twice. */
export const demandOnce = (c: ApiContext, name: string): void => {
  const raw = c.env.incoming.rawHeaders;
  let times = 0;
  for (let index = 0; index < raw.length; index += 2) {
    if (raw[index]?.toLowerCase() === name.toLowerCase()) times += 1;
  }
  if (times > 1) throw new RequestError('invalid_header', { param: name, message: `Send ${name} only once.` });
};
