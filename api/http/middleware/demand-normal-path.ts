import { createMiddleware } from 'hono/factory';
import { RequestError } from '../../../shared/domain/errors.ts';
import type { ApiEnv } from '../context.ts';

const SCHEME_AND_HOST = /^[a-z][a-z0-9+.-]*:\/\/[^/?]*/i;
const CHARACTERS = /^(?:[\w./~!$&'()*+,;=:@-]|%[0-9a-f]{2})*$/i;
/** Percent-encoded letters, digits, `-._~`, slashes and control characters (RFC 3986, 2.3). */
const NEEDLESSLY_ENCODED = /%(?:[01][0-9a-f]|2[d-f]|3[0-9]|[46][1-9a-f]|[57][0-9a]|5[cf]|7[ef])/i;
const DOTS_OR_EMPTY = /\/(?:\.{0,2}\/|\.{1,2}$)/;

const ENCODED_SLASH = /%2f/gi;

/** `namesBehind`: how paths begin that end with a name which may have slashes in it. */
const isNormal = (target: string, namesBehind: readonly string[]): boolean => {
  const [path = ''] = target.replace(SCHEME_AND_HOST, '').split('?', 1);
  if (path === '') return true;
  // A proxy that decodes them finds no other path than one that does not.
  const judged = namesBehind.some((beginning) => path.startsWith(beginning)) ? path.replace(ENCODED_SLASH, '/') : path;
  return (
    judged.startsWith('/') && CHARACTERS.test(judged) && !NEEDLESSLY_ENCODED.test(judged) && !DOTS_OR_EMPTY.test(judged)
  );
};

/** Refuses a path that has another, shorter form: a proxy that forbids a path by its text would let it through, and the routes would still find it. */
export const demandNormalPath = (namesBehind: readonly string[]) =>
  createMiddleware<ApiEnv>(async (c, next) => {
    if (!isNormal(c.env.incoming.url ?? '', namesBehind)) throw new RequestError('invalid_path');
    await next();
  });
