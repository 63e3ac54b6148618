import type { z } from 'zod';
import { RequestError } from '../../../shared/domain/errors.ts';
import { explainIssue, type NameOf } from '../../../shared/domain/wording/explain-issue.ts';
import { withoutStack } from '../without-stack.ts';

/** Checks a value against a schema; throws a RequestError whose `param` is the path to the first thing that is wrong. `what` names the value as a whole, `nameOf` its parts. */
export const parseOr = <T extends z.ZodType>(
  code: 'invalid_body' | 'invalid_query',
  schema: T,
  value: unknown,
  what = 'The body',
  nameOf?: NameOf,
): z.infer<T> => {
  const parsed = withoutStack(() => schema.safeParse(value, { reportInput: true }));
  if (parsed.success) return parsed.data;
  const { param, message } = explainIssue(parsed.error.issues, what, nameOf);
  throw new RequestError(code, { ...(param === '' ? {} : { param }), message });
};
