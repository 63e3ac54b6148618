/** What a request's headers say of its body, judged before a byte of it is read. */
import { RequestError } from '../../../shared/domain/errors.ts';
import type { ApiContext } from '../context.ts';
import { parameterOf, partsOf } from '../headers/header-list.ts';

/** Whether a body follows (RFC 9112, 6.3). */
export const hasBody = (c: ApiContext): boolean =>
  Number(c.req.header('content-length') ?? 0) > 0 || c.req.header('transfer-encoding') !== undefined;

/** The body's type, one of these; throws 415 for any other, and for a body that is compressed (RFC 9110, 8.3 and 8.4). */
export const declaredType = <T extends string>(c: ApiContext, types: readonly T[]): T => {
  const [given, ...parameters] = partsOf(c.req.header('content-type') ?? '', ';');
  const type = types.find((each) => each === given?.toLowerCase());
  if (type === undefined || !parameters.every(isUtf8)) {
    throw new RequestError('unsupported_media_type', {
      param: 'Content-Type',
      message: `Send the body as Content-Type: ${types.join(' or ')}, in UTF-8.`,
    });
  }
  const codings = partsOf(c.req.header('content-encoding') ?? '', ',');
  if (codings.some((coding) => coding.toLowerCase() !== 'identity')) {
    throw new RequestError('unsupported_media_type', {
      param: 'Content-Encoding',
      message: 'Send the body without Content-Encoding.',
    });
  }
  return type;
};

const isUtf8 = (parameter: string): boolean => {
  const { name, value } = parameterOf(parameter) ?? {};
  return name === 'charset' && value !== undefined && /^utf-?8$/i.test(value);
};

/** Throws 413 where the body says that it is longer. */
export const demandLength = (c: ApiContext, limitBytes: number, tooLarge: () => RequestError): void => {
  if (Number(c.req.header('content-length') ?? 0) > limitBytes) throw tooLarge();
};
