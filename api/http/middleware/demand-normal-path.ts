import { createMiddleware } from 'hono/factory';
import { RequestError } from '../../../shared/domain/errors.ts';
import type { ApiEnv } from '../context.ts';

const SCHEME_AND_HOST = /^[a-z][a-z0-9+.-]*:\/\/[^/?]*/i;
const CHARACTERS = /^(?:[\w./~!$&'()*+,;=:@-]|%[0-9a-f]{2})*$/i;
/** Percent-encoded letters, digits, `-._~`, slashes and control characters (RFC 3986, 2.3). */
const NEEDLESSLY_ENCODED = /%(?:[01][0-9a-f]|2[d-f]|3[0-9]|[46][1-9a-f]|[57][0-9a]|5[cf]|7[ef])/i;
const DOTS_OR_EMPTY = /\/(?:\.{0,2}\/|\.{1,2}$)/;

const isNormal = (target: string): boolean => {
  const [path = ''] = target.replace(SCHEME_AND_HOST, '').split('?', 1);
  if (path === '') return true;
  return path.startsWith('/') && CHARACTERS.test(path) && !NEEDLESSLY_ENCODED.test(path) && !DOTS_OR_EMPTY.test(path);
};

/** Refuses a path that has another, shorter form: a proxy that forbids a path by its text would let it through, and the routes would still find it. */
export const demandNormalPath = createMiddleware<ApiEnv>(async (c, next) => {
  if (!isNormal(c.env.incoming.url ?? '')) throw new RequestError('invalid_path');
  await next();
});
