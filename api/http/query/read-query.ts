/** A request's query: only parameters that the route knows, and each of them once. */
import { z } from 'zod';
import { RequestError } from '../../../shared/domain/errors.ts';
import { shownName } from '../../../shared/domain/wording/explain-issue.ts';
import type { ApiContext } from '../context.ts';
import { parseOr } from './parse-or.ts';

export const readQuery = <T extends z.ZodType>(c: ApiContext, schema: T): z.infer<T> => {
  const query = parseOr('invalid_query', schema, c.req.query());
  const [repeated] = Object.entries(c.req.queries()).find(([, values]) => values.length > 1) ?? [];
  if (repeated === undefined) return query;
  const param = shownName(repeated);
  throw new RequestError('invalid_query', { param, message: `Send ${param} only once.` });
};

/** For a route that takes no parameter. */
export const noQuery = z.strictObject({});

/** Some of these names, with commas between them. */
export const listText = <const T extends string>(names: readonly T[]) =>
  z
    .string()
    .refine(
      (text) => text.split(',').every((name) => names.some((each) => each === name)),
      `must be some of ${names.join(', ')}, with commas between them`,
    )
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(names)).max(names.length));

export const flag = z
  .enum(['true', 'false'])
  .default('false')
  .transform((text) => text === 'true');

export const wholeNumber = (least: number, most: number) =>
  z
    .string()
    .refine(
      (text) => /^\d{1,9}$/.test(text) && Number(text) >= least && Number(text) <= most,
      `must be a whole number from ${least} to ${most}`,
    )
    .transform(Number)
    .meta({ type: 'integer', minimum: least, maximum: most });
