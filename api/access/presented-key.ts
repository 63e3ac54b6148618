/** The key a request presents, taken out of it; only the form is judged here. */
import { RequestError } from '../../shared/domain/errors.ts';
import type { ApiContext } from '../http/context.ts';
import { type SecretHeader, takeHeader } from '../http/server/request-secrets.ts';

export type PresentedKey = { key: string; param: 'X-API-Key' | 'Authorization' };

/** The platform key; throws where the headers contradict each other or there is none. */
export const presentedPlatformKey = (c: ApiContext): PresentedKey => {
  const apiKey = takeOnce(c, 'X-API-Key');
  const authorization = takeOnce(c, 'Authorization');
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
  const authorization = takeOnce(c, 'Authorization');
  const message = 'Send Authorization: Bearer <ADMIN_TOKEN>.';
  if (authorization === undefined) throw new RequestError('missing_api_key', { param: 'Authorization', message });
  return bearerIn(authorization, message);
};

const bearerIn = (authorization: string, message: string): string => {
  const [, bearer] = /^Bearer +(\S+)$/i.exec(authorization) ?? [];
  if (bearer === undefined) throw new RequestError('invalid_header', { param: 'Authorization', message });
  return bearer;
};

/** Takes a header, and refuses one that is there twice: Node joins some of those and keeps the first of others. */
export const takeOnce = (c: ApiContext, name: SecretHeader): string | undefined => {
  const [value, second] = takeHeader(c, name);
  if (second !== undefined)
    throw new RequestError('invalid_header', { param: name, message: `Send ${name} only once.` });
  return value;
};
