/** An answer that is the same for everyone: made, compressed and tagged once, at start. */
import { hash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { Handler } from '../access/operation.ts';
import type { ApiContext } from '../http/context.ts';
import { parameterOf, partsOf } from '../http/headers/header-list.ts';
import { heldTags, isHeldTag } from '../http/headers/held-tags.ts';

/** `headers` go with it, whatever form it takes. */
export const storedAnswer = (text: string, headers: Record<string, string>): Handler => {
  const plain = formOf(Buffer.from(text), {});
  const zipped = formOf(gzipSync(text), { 'Content-Encoding': 'gzip' });
  return (c) => {
    const { bytes, tag, coding } = takesGzip(c) ? zipped : plain;
    const held = heldTags(c.req.header('if-none-match') ?? '');
    // A cache may keep it, and asks whether it is still the same.
    const always = { ETag: `"${tag}"`, Vary: 'Accept-Encoding', 'Cache-Control': 'no-cache', ...headers };
    if (held.some((each) => isHeldTag(each, tag))) return c.body(null, 304, always);
    return c.body(bytes, 200, { ...always, ...coding });
  };
};

const formOf = (buffer: Buffer, coding: Record<string, string>) => {
  const bytes = Uint8Array.from(buffer);
  return { bytes, tag: hash('sha256', bytes, 'hex').slice(0, 32), coding };
};

/** RFC 9110, 12.5.3. */
const takesGzip = (c: ApiContext): boolean =>
  partsOf(c.req.header('accept-encoding') ?? '', ',').some((each) => {
    const [name, ...parameters] = partsOf(each, ';');
    const weight = parameters.map(parameterOf).find((parameter) => parameter?.name === 'q');
    return name?.toLowerCase() === 'gzip' && (weight ? Number(weight.value) > 0 : true);
  });
