/** A call of the interface in one row: who may make it, what it takes and answers, what does it. */
import type { z } from 'zod';
import type { RequestErrorCode } from '../../shared/domain/errors.ts';
import type { Scope } from '../../shared/domain/tenants/caller.ts';
import type { ApiContext } from '../http/context.ts';
import type { RefusalWords } from '../http/error-form.ts';
import { noQuery, readQuery } from '../http/query/read-query.ts';
import type { Access } from './demand-access.ts';
import type { RequestHeader, ResponseHeader } from './headers.ts';

export type Handler<Input extends unknown[] = []> = (c: ApiContext, ...input: Input) => Response | Promise<Response>;

/** What a caller can need, by the part of the interface that the path stands in. */
type AccessOn<Path extends string> = Path extends `/v1/${string}` | `/openai/v1/${string}` | `/anthropic/v1/${string}`
  ? Scope
  : Path extends `/admin/${string}`
    ? 'operator'
    : 'anyone';

type Answer = {
  description: string;
  /** One that is `NAMED`, of a body of JSON. */
  schema?: z.ZodType;
  /** The media type of what is no JSON, or has no schema. Both are left out if there is no body. */
  type?: string;
  headers?: readonly ResponseHeader[];
};

/** By status. */
export type Answers = { readonly [status: number]: Answer };

/** What the OpenAPI document says of a call beside its path. */
type Description = {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  summary: string;
  /**
   * Schemas that are `NAMED`. `line`: of which a body of NDJSON has one after the other.
   * `optional`: no body is an empty object.
   */
  body?: { schema: z.ZodType; line?: z.ZodType; optional?: true };
  /** Beside those that every call takes. */
  headers?: readonly RequestHeader[];
  answers: Answers;
  /** Beside those that follow from access, path, query and body. */
  errors?: readonly RequestErrorCode[];
  /** Whether it is also refused with what a job ended with. */
  awaitsJob?: true;
  /** How it is refused; left out for the gateway's own form. */
  refusals?: RefusalWords;
  /** On answers and refusals alike, if it came to the limit of requests. */
  rateLimited?: true;
};

type Row<Path extends string, Query extends z.ZodObject, Needs> = Description & {
  path: Path;
  access: AccessOn<Path>;
  /** Judged first, and given to the handler; left out if no parameter is taken. */
  query?: Query;
  /** In the place of `query`: the handler judges it, because something else comes before it. */
  lateQuery?: z.ZodObject;
  /** Called once, when the app is built. */
  handle: (needs: Needs) => Handler<[query: z.infer<Query>]>;
};

export type Operation<Needs> = Description & {
  path: string;
  access: Access;
  query: z.ZodObject;
  handle: (needs: Needs) => Handler;
};

/** One of any needs, for those who only read what it says. */
export type AnyOperation = Operation<never>;

/** What these rows need together. */
export type NeedsOf<Rows extends readonly AnyOperation[]> = Rows[number] extends Operation<infer Needs> ? Needs : never;

export const operation = <const Path extends `/${string}`, Needs, Query extends z.ZodObject = typeof noQuery>({
  query,
  lateQuery,
  handle,
  ...row
}: Row<Path, Query, Needs>): Operation<Needs> => {
  const judged = query ?? noQuery;
  // Probes and browsers may add to a query what they like.
  const isLate = lateQuery !== undefined || row.access === 'anyone';
  // A cast because a row without a query of its own has that of `noQuery`, which is empty.
  const queryOf = (c: ApiContext) => (isLate ? {} : readQuery(c, judged)) as z.infer<Query>;
  return {
    ...row,
    query: lateQuery ?? judged,
    handle: (needs) => {
      const answer = handle(needs);
      return (c) => answer(c, queryOf(c));
    },
  };
};
